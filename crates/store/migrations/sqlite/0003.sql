-- The last batch of sums that each process has handed over: one whose answer was lost is handed over again, and counts once.
CREATE TABLE usage_writers (
    writer BLOB PRIMARY KEY,
    last   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Which alerts of budgets were raised: each once.
CREATE TABLE budget_alerts (
    meter    TEXT NOT NULL,
    period   TEXT NOT NULL,
    budget   INTEGER NOT NULL,
    since_ms INTEGER NOT NULL,
    percent  INTEGER NOT NULL,
    spent    INTEGER NOT NULL,
    unix_ms  INTEGER NOT NULL,
    PRIMARY KEY (meter, period, budget, since_ms, percent)
) STRICT, WITHOUT ROWID;
CREATE INDEX budget_alerts_by_time ON budget_alerts (unix_ms);
