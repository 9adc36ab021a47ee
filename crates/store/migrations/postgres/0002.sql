-- The last batch of sums that each process has handed over: one whose answer was lost is handed over again, and counts once.
CREATE TABLE usage_writers (
    writer BYTEA PRIMARY KEY,
    last   BIGINT NOT NULL
);
