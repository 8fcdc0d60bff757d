-- The schema of this version of dramatis. Files of older versions are migrated by migrations/.
--
-- A message is a row of `messages` from the moment it may run until it is settled, or of `delayed` while it waits for
-- its time. Rows are narrow and indices few and partial: a message is inserted, updated once and deleted once, and each
-- index with it is updated three times. All times are milliseconds since the epoch.

-- AUTOINCREMENT, so that no id is reused: a late settlement of a flushed message must not match a newer one.
-- The holder of ready messages is 2147483647 and not NULL: it is as wide as the id of a worker, so that a row doesn't grow
-- when it is taken, and a full disk doesn't keep messages from being processed.
CREATE TABLE messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT, -- ascending in the order of arrival, which is the order of delivery
  queue TEXT NOT NULL,
  priority INTEGER NOT NULL, -- 0 to 9, higher first
  holder INTEGER NOT NULL DEFAULT 2147483647, -- the worker that was given it (workers.id), or nobody
  deliveries INTEGER NOT NULL DEFAULT 0, -- how many workers were given it
  started INTEGER NOT NULL DEFAULT 0,    -- whether its holder began to run it; noted from the second delivery on
  body NOT NULL, -- TEXT or BLOB, as the encoder made it
  handle TEXT -- by which it is found while it waits, if it may be replaced
);
CREATE INDEX messages_ready ON messages (queue, priority DESC) WHERE holder = 2147483647;
CREATE INDEX messages_held ON messages (holder) WHERE holder <> 2147483647;
CREATE UNIQUE INDEX messages_handle ON messages (handle) WHERE handle IS NOT NULL;

CREATE TABLE delayed (
  id INTEGER PRIMARY KEY,
  queue TEXT NOT NULL,
  priority INTEGER NOT NULL,
  deliveries INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  body NOT NULL,
  handle TEXT
);
CREATE INDEX delayed_due ON delayed (queue, due_at);
CREATE UNIQUE INDEX delayed_handle ON delayed (handle) WHERE handle IS NOT NULL;

CREATE TABLE dead_letters (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  queue TEXT NOT NULL,
  priority INTEGER NOT NULL,
  body NOT NULL,
  reason TEXT NOT NULL,
  traceback TEXT,
  dead_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
);
CREATE INDEX dead_letters_of_queue ON dead_letters (queue);
CREATE INDEX dead_letters_expiry ON dead_letters (expires_at);

-- The consuming brokers. Messages held by a worker without a row here are requeued.
CREATE TABLE workers (
  id INTEGER PRIMARY KEY,
  host TEXT, -- which machine and process namespace; NULL where that can't be told
  pid INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
);

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

-- Values, and sets of which the members are in a table of their own.
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

PRAGMA application_id = 0x64726d73; -- 'drms'
PRAGMA user_version = 3;
