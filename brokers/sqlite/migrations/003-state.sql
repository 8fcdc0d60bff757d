-- Version 3: state, and messages that can be found while they wait.

ALTER TABLE messages ADD COLUMN handle TEXT;
CREATE UNIQUE INDEX messages_handle ON messages (handle) WHERE handle IS NOT NULL;

ALTER TABLE delayed ADD COLUMN handle TEXT;
CREATE UNIQUE INDEX delayed_handle ON delayed (handle) WHERE handle IS NOT NULL;

CREATE TABLE state (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  listed INTEGER NOT NULL, -- whether it can be listed
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX state_expiry ON state (expires_at);

CREATE TABLE state_sets (
  key TEXT PRIMARY KEY,
  size INTEGER NOT NULL, -- counting the members of a large set would take long
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX state_sets_expiry ON state_sets (expires_at);

CREATE TABLE state_members (
  key TEXT NOT NULL,
  member TEXT NOT NULL,
  PRIMARY KEY (key, member)
) WITHOUT ROWID;

PRAGMA user_version = 3;
