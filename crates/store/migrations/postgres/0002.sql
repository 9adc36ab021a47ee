-- The last batch of sums that each process has handed over: one whose answer was lost is handed over again, and counts once.
CREATE TABLE usage_writers (
    writer BYTEA PRIMARY KEY,
    last   BIGINT NOT NULL
);

-- Which alerts of budgets were raised: each once.
CREATE TABLE budget_alerts (
    meter    TEXT COLLATE "C" NOT NULL,
    period   TEXT NOT NULL,
    budget   BIGINT NOT NULL,
    since_ms BIGINT NOT NULL,
    percent  BIGINT NOT NULL,
    spent    BIGINT NOT NULL,
    unix_ms  BIGINT NOT NULL,
    PRIMARY KEY (meter, period, budget, since_ms, percent)
);
CREATE INDEX budget_alerts_by_time ON budget_alerts (unix_ms);
