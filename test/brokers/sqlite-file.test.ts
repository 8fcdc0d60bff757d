/** The file: how it is opened, migrated or refused, and the errors when it can't be used. */
import fs, {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { applicationId, schemaVersion } from '../../brokers/sqlite/connection/database.js'
import { SQLiteBroker, type SQLiteBrokerOptions, SQLiteRateLimits, SQLiteResults } from '../../brokers/sqlite/index.js'
import { BrokerError, BrokerUnusable, IncompatibleStore, InvalidOption } from '../../lib/errors.js'
import { nameOf, note, notes, take, takeOne } from '../../testing/contract/brokers/exam.js'
import { inDatabase, makeFolder, makePath, watchOpening } from '../support/sqlite-files.js'

function open(t: Pick<Test, 'teardown'>, options: SQLiteBrokerOptions): SQLiteBroker {
  const broker = new SQLiteBroker({ middleware: [], ...options })
  t.teardown(() => broker.close())
  return broker
}

/** Every call is rejected with this error; none hangs. */
async function refused(t: Test, path: string, type: typeof BrokerError, text: RegExp): Promise<void> {
  const broker = open(t, { path })
  const calls = [
    broker.enqueue(note('lost')),
    broker.stats('exam'),
    broker.consume('exam').take(1),
    broker.flush('exam'),
  ]
  for (const outcome of await Promise.allSettled(calls)) {
    const error = outcome.status === 'rejected' ? (outcome.reason as Error) : undefined
    t.ok(error instanceof type, `${error?.name}`)
    t.match(error?.message, text)
    t.match(error?.message, path, 'names the file')
  }
  await broker.close()
}

const sql = (name: string): string => readFileSync(new URL(`../../brokers/sqlite/${name}`, import.meta.url), 'utf8')

t.test('the file is created on first use, not before', async (t) => {
  const path = makePath(t)
  const broker = open(t, { path })
  t.notOk(existsSync(path))
  await broker.enqueue(note('first'))
  t.ok(existsSync(path))
  t.same(
    inDatabase(path, (database) => [
      database.prepare('PRAGMA application_id').get(),
      database.prepare('PRAGMA user_version').get(),
      database.prepare('PRAGMA journal_mode').get(),
    ]),
    [{ application_id: applicationId }, { user_version: schemaVersion }, { journal_mode: 'wal' }],
  )
})

t.test('a path may be a file URL; other values are refused', async (t) => {
  const path = makePath(t)
  t.equal(open(t, { path: pathToFileURL(path) }).path, path)
  for (const bad of ['', ':memory:', 7 as unknown as string]) {
    t.throws(() => new SQLiteBroker({ path: bad, middleware: [] }), InvalidOption)
    t.throws(() => new SQLiteResults({ path: bad }), InvalidOption)
    t.throws(() => new SQLiteRateLimits({ path: bad }), InvalidOption)
  }
  t.throws(() => new SQLiteBroker({ path, synchronous: 'off' as 'full' }), InvalidOption)
  t.throws(() => new SQLiteBroker({ path, heartbeatTimeout: 5 }), InvalidOption)
  t.throws(() => new SQLiteBroker({ path, file: 'x' } as SQLiteBrokerOptions), /did you mean|Unknown option "file"/)
})

t.test('the migrations lead to the schema', async (t) => {
  const schemaOf = (scripts: readonly string[]): unknown =>
    inDatabase(makePath(t), (database) => {
      for (const script of scripts) database.exec(sql(script))
      const tables = "SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
      return [
        (database.prepare(tables).all() as { sql: string }[]).map((row) => ({ ...row, sql: withoutComments(row.sql) })),
        database.prepare('PRAGMA user_version').get(),
        database.prepare('PRAGMA application_id').get(),
      ]
    })
  const migrations = readdirSync(new URL('../../brokers/sqlite/migrations/', import.meta.url)).sort()
  t.same(schemaOf(migrations.map((name) => `migrations/${name}`)), schemaOf(['schema.sql']))
})

/** `ALTER TABLE` adds a column to the text of a table, after its last comment. */
function withoutComments(sql: string): string {
  return sql
    .replace(/--.*/g, '')
    .replace(/\s*([,()])\s*/g, '$1')
    .replace(/\s+/g, ' ')
}

t.test('a file of an older schema is migrated, and keeps its messages', async (t) => {
  const path = makePath(t)
  inDatabase(path, (database) => {
    database.exec(sql('migrations/001-messages.sql'))
    database.prepare('INSERT INTO messages (queue, priority, body) VALUES (?, 0, ?)').run('exam', note('old').encode())
  })
  const broker = open(t, { path })
  t.equal(nameOf(await takeOne(broker.consume('exam'))), 'old')
  t.same(
    inDatabase(path, (database) => database.prepare('PRAGMA user_version').get()),
    { user_version: schemaVersion },
  )
})

t.test('a file of a newer schema is refused, with both versions', async (t) => {
  const path = makePath(t)
  inDatabase(path, (database) => {
    database.exec(sql('schema.sql'))
    database.exec('PRAGMA user_version = 99')
  })
  await refused(t, path, IncompatibleStore, /schema version 99.*up to 3.*Update dramatis/s)
})

t.test('a database of another program is refused and not changed', async (t) => {
  const path = makePath(t)
  inDatabase(path, (database) => database.exec('CREATE TABLE songs (title TEXT)'))
  const before = readFileSync(path)
  await refused(t, path, IncompatibleStore, /belongs to another program.*another path/s)
  t.same(readFileSync(path), before)
  inDatabase(path, (database) => database.exec('DROP TABLE songs; PRAGMA application_id = 1234'))
  await refused(t, path, IncompatibleStore, /application_id 1234/)
})

t.test("a file that isn't a database is refused and not changed", async (t) => {
  const path = makePath(t)
  const text = 'Dear diary, '.repeat(500)
  writeFileSync(path, text)
  await refused(t, path, IncompatibleStore, /not a SQLite database.*another path/s)
  t.equal(readFileSync(path, 'utf8'), text)
})

t.test('a missing folder, and a folder instead of a file', async (t) => {
  const folder = makeFolder(t)
  const path = join(folder, 'missing', 'queue.db')
  await refused(t, path, BrokerUnusable, /folder .* does not exist. Create it/)
  await refused(t, folder, BrokerUnusable, /is a folder/)

  const broker = open(t, { path })
  await t.rejects(broker.enqueue(note('too early')), BrokerUnusable)
  mkdirSync(dirname(path))
  await broker.enqueue(note('in time'))
  t.match(await broker.stats('exam'), { ready: 1 }, 'it works as soon as the folder exists')
})

t.test('a read-only folder, a read-only file', async (t) => {
  const path = makePath(t)
  await asNobody(t, dirname(path), async () => {
    chmodSync(dirname(path), 0o555)
    await refused(t, path, BrokerUnusable, /can't be (opened|written).*(folder|permission)/s)

    chmodSync(dirname(path), 0o755)
    const broker = open(t, { path })
    await broker.enqueue(note('kept'))
    await broker.close()
    chmodSync(path, 0o444)
    const reader = open(t, { path })
    await t.rejects(reader.enqueue(note('lost')), /can't be written. Give this user write permission/)
    await t.rejects(reader.consume('exam').take(1), BrokerUnusable)
    t.match(await reader.stats('exam'), { ready: 1 }, 'reading is allowed')
  })
})

t.test('a full disk: a send rejects with that reason, and stored messages are still processed', async (t) => {
  const path = makePath(t)
  const connections = watchOpening(t)
  const broker = open(t, { path })
  const consumer = broker.consume('exam')
  await broker.enqueueMany(notes(300))
  // A database that may not grow has the effect of a full disk.
  connections[0]?.exec('PRAGMA max_page_count = 1')
  const big = (name: string) => note(name, { padding: 'x'.repeat(100_000) })

  const error = await broker.enqueue(big('too much')).catch((error: Error) => error)
  t.ok(error instanceof BrokerError)
  t.match((error as Error).message, /disk is full; nothing was stored.*Free some space/)
  t.match(await broker.stats('exam'), { ready: 300, inFlight: 0 }, 'no other message is affected')

  const deliveries = await take(consumer, 300)
  await t.rejects(broker.enqueueMany([note('small'), big('too much again')]), /disk is full/)
  const [first, ...rest] = deliveries
  if (first) await consumer.deadLetter(first, { reason: 'bad' }, [])
  await Promise.all(rest.map((delivery) => consumer.ack(delivery, [])))
  t.same(await broker.stats('exam'), { ready: 0, delayed: 0, inFlight: 0, dead: 1 })
})

t.test('the last space of a disk is reserved for processing stored messages', async (t) => {
  const path = makePath(t)
  const broker = open(t, { path })
  const consumer = broker.consume('exam')
  await broker.enqueueMany(notes(3))
  const { statfsSync } = fs
  const restore = (): void => {
    fs.statfsSync = statfsSync
    syncBuiltinESMExports()
  }
  t.teardown(restore)
  fs.statfsSync = (() => ({ bavail: 1000, bsize: 4096 })) as unknown as typeof statfsSync
  syncBuiltinESMExports()

  await t.rejects(broker.enqueue(note('too much')), /disk is full; nothing was stored/)
  const [first, ...rest] = await take(consumer, 3)
  if (first) await consumer.ack(first, [{ message: note('retry') }])
  await Promise.all(rest.map((delivery) => consumer.ack(delivery, [])))
  t.equal(nameOf(await takeOne(consumer)), 'retry')
  restore()
  await broker.enqueue(note('there is room again'))
})

t.test('messages sent after the file was deleted are not lost', async (t) => {
  const path = makePath(t)
  const broker = open(t, { path })
  const consumer = broker.consume('exam')
  await broker.enqueue(note('lost with the file'))
  t.ok(await takeOne(consumer))
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true })
  await broker.enqueue(note('after'))
  t.equal(nameOf(await takeOne(consumer)), 'after')
})

/** Runs `work` without the permissions of root, which may write everything. */
async function asNobody(t: Test, folder: string, work: () => Promise<void>): Promise<void> {
  if (process.getuid?.() !== 0) return work()
  chownSync(folder, 65534, 65534)
  process.seteuid?.(65534)
  t.teardown(() => process.seteuid?.(0))
  await work()
  process.seteuid?.(0)
}
