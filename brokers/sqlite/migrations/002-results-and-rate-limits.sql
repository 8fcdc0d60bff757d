-- Version 2: results and the state of rate limits move into the same file.

CREATE TABLE results (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  traceback TEXT, -- of a failure
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX results_expiry ON results (expires_at);

CREATE TABLE rate_limits (
  key TEXT PRIMARY KEY,
  value INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX rate_limits_expiry ON rate_limits (expires_at);

CREATE TABLE notifications (
  key TEXT PRIMARY KEY,
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;

PRAGMA user_version = 2;
