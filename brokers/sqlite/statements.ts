/**
 * Every statement of this broker, by name. `prepareAll` compiles them once per connection. The number 2147483647 is the
 * holder of ready messages, which no worker holds; see schema.sql.
 */
import type { Database, Statement } from './driver/database.js'

const sql = {
  begin: 'BEGIN IMMEDIATE',
  commit: 'COMMIT',
  rollback: 'ROLLBACK',
  /** Moves the content of the write-ahead log into the database, and truncates the log. */
  emptyLog: 'PRAGMA wal_checkpoint(TRUNCATE)',
  /** Changes when another connection, of this process or another, has committed. */
  dataVersion: 'PRAGMA data_version',

  /** How many bytes of the file are free for new rows. */
  freeInside: `
    SELECT freelist_count * page_size AS bytes FROM pragma_freelist_count, pragma_page_size`,

  // — Sending ————————————————————————————————————————————————————————————————————————————————————————————
  insertMessage: 'INSERT INTO messages (queue, priority, body) VALUES (?, ?, ?)',
  insertDelayed: 'INSERT INTO delayed (queue, priority, deliveries, due_at, body) VALUES (?, ?, 0, ?, ?)',
  insertMessageWithHandle: 'INSERT INTO messages (queue, priority, body, handle) VALUES (?, ?, ?, ?)',
  insertDelayedWithHandle:
    'INSERT INTO delayed (queue, priority, deliveries, due_at, body, handle) VALUES (?, ?, 0, ?, ?, ?)',
  removeWaiting: 'DELETE FROM messages WHERE handle = ? AND holder = 2147483647',
  removeDelayed: 'DELETE FROM delayed WHERE handle = ?',

  // — Taking —————————————————————————————————————————————————————————————————————————————————————————————
  hasReady: 'SELECT 1 FROM messages WHERE queue = ? AND holder = 2147483647 LIMIT 1',
  nextDue: 'SELECT due_at FROM delayed WHERE queue = ? ORDER BY due_at LIMIT 1',
  // Every queue with messages that no worker holds, and when the first may be taken. One step in the index per queue:
  // DISTINCT would read all messages.
  queuesWithMessages: `
    WITH RECURSIVE
      ready (queue) AS (
        SELECT min(queue) FROM messages WHERE holder = 2147483647
        UNION ALL
        SELECT (SELECT min(queue) FROM messages WHERE holder = 2147483647 AND queue > ready.queue)
        FROM ready WHERE queue IS NOT NULL),
      later (queue) AS (
        SELECT min(queue) FROM delayed
        UNION ALL
        SELECT (SELECT min(queue) FROM delayed WHERE queue > later.queue) FROM later WHERE queue IS NOT NULL)
    SELECT queue, 0 AS dueAt FROM ready WHERE queue IS NOT NULL
    UNION ALL
    SELECT queue, (SELECT min(due_at) FROM delayed WHERE queue = later.queue) FROM later WHERE queue IS NOT NULL`,
  // Due messages are appended to the ready ones, in the order of their times; a limited number per statement, so that
  // it stays short.
  promote: `
    INSERT INTO messages (queue, priority, deliveries, body, handle)
    SELECT queue, priority, deliveries, body, handle FROM delayed WHERE queue = ? AND due_at <= ? ORDER BY due_at, id LIMIT 1000`,
  removePromoted: `
    DELETE FROM delayed WHERE id IN (
      SELECT id FROM delayed WHERE queue = ? AND due_at <= ? ORDER BY due_at, id LIMIT 1000)`,
  selectReady: `
    SELECT id, priority, deliveries, body FROM messages
    WHERE queue = ? AND holder = 2147483647 ORDER BY priority DESC, id LIMIT ?`,
  // Reading first and updating by id is quicker than UPDATE … RETURNING, which also doesn't guarantee an order.
  hold: `
    UPDATE messages SET holder = ?, deliveries = deliveries + 1, started = 0
    WHERE id IN (SELECT value FROM json_each(?))`,

  // — Settling: every one does nothing when the message is no longer held by that worker ———————————————————
  acknowledge: 'DELETE FROM messages WHERE id IN (SELECT value FROM json_each(?)) AND holder = ?',
  remove: 'DELETE FROM messages WHERE id = ? AND holder = ?',
  isHeld: 'SELECT 1 FROM messages WHERE id = ? AND holder = ?',
  start: 'UPDATE messages SET started = 1 WHERE id = ? AND holder = ?',
  giveBack:
    'UPDATE messages SET holder = 2147483647, started = 0, deliveries = deliveries - 1 WHERE id = ? AND holder = ?',
  giveBackCounted: 'UPDATE messages SET holder = 2147483647, started = 0 WHERE id = ? AND holder = ?',
  postpone: `
    INSERT INTO delayed (queue, priority, deliveries, due_at, body, handle)
    SELECT queue, priority, deliveries - ?, ?, body, handle FROM messages WHERE id = ? AND holder = ?`,
  insertDeadLetter: `
    INSERT INTO dead_letters (queue, priority, body, reason, traceback, dead_at, expires_at)
    SELECT queue, priority, body, ?, ?, ?, ? FROM messages WHERE id = ? AND holder = ?`,

  // — Workers ————————————————————————————————————————————————————————————————————————————————————————————
  register: 'INSERT INTO workers (id, host, pid, expires_at) VALUES (?, ?, ?, ?)',
  isRegistered: 'SELECT 1 FROM workers WHERE id = ?',
  renew: 'UPDATE workers SET expires_at = ? WHERE id = ?',
  otherWorkers: 'SELECT id, host, pid, expires_at AS expiresAt FROM workers WHERE id <> ?',
  dismiss: 'DELETE FROM workers WHERE id = ?',
  dismissSilent: 'DELETE FROM workers WHERE id = ? AND expires_at = ?',
  giveAllBack:
    'UPDATE messages SET holder = 2147483647, started = 0, deliveries = deliveries - 1 WHERE holder = ? AND holder <> 2147483647',
  // The first loss counts for every message. From the second one on, a message that had not started doesn't count: it
  // was only prefetched beside the one that ended its worker.
  recoverOrphans: `
    UPDATE messages SET holder = 2147483647, started = 0, deliveries = deliveries - (deliveries > 1 AND NOT started)
    WHERE holder <> 2147483647 AND holder NOT IN (SELECT id FROM workers)`,

  // — Looking ————————————————————————————————————————————————————————————————————————————————————————————
  stats: `
    SELECT
      (SELECT count(*) FROM messages WHERE queue = :queueName AND holder = 2147483647) AS waiting,
      (SELECT count(*) FROM delayed WHERE queue = :queueName AND due_at <= :now) AS due,
      (SELECT count(*) FROM delayed WHERE queue = :queueName AND due_at > :now) AS delayed,
      (SELECT count(*) FROM messages INDEXED BY messages_held WHERE queue = :queueName AND holder <> 2147483647) AS held,
      (SELECT count(*) FROM dead_letters WHERE queue = :queueName AND expires_at > :now) AS dead`,
  isEmpty: `
    SELECT NOT EXISTS (SELECT 1 FROM messages WHERE queue = :queueName AND holder = 2147483647)
      AND NOT EXISTS (SELECT 1 FROM messages INDEXED BY messages_held WHERE queue = :queueName AND holder <> 2147483647)
      AND NOT EXISTS (SELECT 1 FROM delayed WHERE queue = :queueName) AS empty`,

  // — Scanning: a page of ids at a time, of all queues ————————————————————————————————————————————————————————
  endOfMessagesPage: 'SELECT max(id) AS last FROM (SELECT id FROM messages WHERE id > ? ORDER BY id LIMIT ?)',
  endOfDelayedPage: 'SELECT max(id) AS last FROM (SELECT id FROM delayed WHERE id > ? ORDER BY id LIMIT ?)',
  scanMessages: `
    SELECT id, body, CASE holder WHEN 2147483647 THEN 'ready' ELSE 'held' END AS state FROM messages
    WHERE id > ? AND id <= ? AND queue = ? AND instr(CAST(body AS BLOB), CAST(? AS BLOB))`,
  scanDelayed: `
    SELECT id, body, 'delayed' AS state FROM delayed
    WHERE id > ? AND id <= ? AND queue = ? AND instr(CAST(body AS BLOB), CAST(? AS BLOB))`,
  runNow: 'UPDATE delayed SET due_at = 0 WHERE id IN (SELECT value FROM json_each(?)) AND queue = ?',

  // — Flushing: what is there when it begins, some at a time ———————————————————————————————————————————————
  newest: `
    SELECT
      (SELECT coalesce(max(id), 0) FROM messages) AS message,
      (SELECT coalesce(max(id), 0) FROM delayed) AS delayed,
      (SELECT coalesce(max(id), 0) FROM dead_letters) AS dead`,
  flushHeld: `
    DELETE FROM messages WHERE id IN (
      SELECT id FROM messages INDEXED BY messages_held WHERE queue = ? AND holder <> 2147483647 AND id <= ?)`,
  flushReady: `
    DELETE FROM messages WHERE id IN (
      SELECT id FROM messages WHERE queue = ? AND holder = 2147483647 AND id <= ? LIMIT 2000)`,
  flushDelayed: `
    DELETE FROM delayed WHERE id IN (SELECT id FROM delayed WHERE queue = ? AND id <= ? LIMIT 2000)`,
  flushDead: `
    DELETE FROM dead_letters WHERE id IN (SELECT id FROM dead_letters WHERE queue = ? AND id <= ? LIMIT 2000)`,

  // — Dead letters ———————————————————————————————————————————————————————————————————————————————————————
  deadLetters: `
    SELECT id, body, reason, traceback, dead_at AS deadAt FROM dead_letters
    WHERE queue = ? AND id > ? AND expires_at > ? ORDER BY id LIMIT ?`,
  deadLetter: 'SELECT queue, priority, body FROM dead_letters WHERE id = ? AND expires_at > ?',
  removeDeadLetter: 'DELETE FROM dead_letters WHERE id = ? AND expires_at > ?',

  // — Results ————————————————————————————————————————————————————————————————————————————————————————————
  putResult: `
    INSERT INTO results (key, value, traceback, expires_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (key) DO UPDATE
    SET value = excluded.value, traceback = excluded.traceback, expires_at = excluded.expires_at`,
  getResult: 'SELECT key, value, traceback FROM results WHERE key = ? AND expires_at > ?',
  removeResult: 'DELETE FROM results WHERE key = ?',
  getResults: `
    SELECT results.key, results.value, results.traceback FROM json_each(?) AS wanted
    JOIN results ON results.key = wanted.value WHERE results.expires_at > ?`,

  // — Rate limits ————————————————————————————————————————————————————————————————————————————————————————
  getLimit: 'SELECT value FROM rate_limits WHERE key = ? AND expires_at > ?',
  sumLimits: `
    SELECT coalesce(sum(rate_limits.value), 0) AS sum FROM json_each(?) AS wanted
    JOIN rate_limits ON rate_limits.key = wanted.value WHERE rate_limits.expires_at > ?`,
  putLimit: `
    INSERT INTO rate_limits (key, value, expires_at) VALUES (?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`,
  notify: `
    INSERT INTO notifications (key, expires_at) VALUES (?, ?)
    ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at`,
  getNotifications: `
    SELECT notifications.key, notifications.expires_at AS value FROM json_each(?) AS wanted
    JOIN notifications ON notifications.key = wanted.value`,

  // — State ——————————————————————————————————————————————————————————————————————————————————————————————
  getState: 'SELECT value FROM state WHERE key = ? AND expires_at > ?',
  putState: `
    INSERT INTO state (key, value, listed, expires_at) VALUES (?, ?, 0, ?)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`,
  listState: 'UPDATE state SET listed = 1 WHERE key = ?',
  removeState: 'DELETE FROM state WHERE key = ?',
  pageOfState: `
    SELECT key, value FROM state
    WHERE key > ? AND key >= ? AND key < ? AND listed AND expires_at > ? ORDER BY key LIMIT ?`,
  sizeOfSet: 'SELECT size FROM state_sets WHERE key = ? AND expires_at > ?',
  putSet: `
    INSERT INTO state_sets (key, size, expires_at) VALUES (?, 1, ?)
    ON CONFLICT (key) DO UPDATE SET size = size + ?, expires_at = excluded.expires_at`,
  shrinkSet: 'UPDATE state_sets SET size = size - 1 WHERE key = ?',
  removeSet: 'DELETE FROM state_sets WHERE key = ?',
  hasMember: 'SELECT 1 FROM state_members WHERE key = ? AND member = ?',
  addMember: 'INSERT OR IGNORE INTO state_members (key, member) VALUES (?, ?)',
  removeMember: 'DELETE FROM state_members WHERE key = ? AND member = ?',
  removeMembers: 'DELETE FROM state_members WHERE key = ?',
  members: 'SELECT member FROM state_members WHERE key = ?',
  // What the watches compare: the values, and of the sets their sizes and the times at which they expire, which change
  // when a member is added.
  watchedState: `
    SELECT wanted.value AS key, state.value AS value, state_sets.size AS size, state_sets.expires_at AS expiry FROM json_each(?) AS wanted
    LEFT JOIN state ON state.key = wanted.value LEFT JOIN state_sets ON state_sets.key = wanted.value`,

  // — Purging what has expired, some at a time ——————————————————————————————————————————————————————————————
  purgeResults: `
    DELETE FROM results WHERE key IN (SELECT key FROM results WHERE expires_at <= ? ORDER BY expires_at LIMIT 500)`,
  purgeLimits: `
    DELETE FROM rate_limits WHERE key IN (
      SELECT key FROM rate_limits WHERE expires_at <= ? ORDER BY expires_at LIMIT 500)`,
  purgeDeadLetters: `
    DELETE FROM dead_letters WHERE id IN (
      SELECT id FROM dead_letters WHERE expires_at <= ? ORDER BY expires_at LIMIT 500)`,
  purgeState: `
    DELETE FROM state WHERE key IN (SELECT key FROM state WHERE expires_at <= ? ORDER BY expires_at LIMIT 500)`,
  expiredSet: 'SELECT key FROM state_sets WHERE expires_at <= ? ORDER BY expires_at LIMIT 1',
  purgeMembers: `
    DELETE FROM state_members WHERE (key, member) IN (SELECT key, member FROM state_members WHERE key = ? LIMIT 500)`,
  purgeNotifications: 'DELETE FROM notifications WHERE expires_at <= ?',
} as const

export type Statements = Readonly<Record<keyof typeof sql, Statement>>

export function prepareAll(database: Database): Statements {
  return Object.fromEntries(
    Object.entries(sql).map(([name, text]) => [name, database.prepare(text)]),
  ) as unknown as Statements
}
