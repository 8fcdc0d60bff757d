/** Both drivers behave alike behind the one face that the broker knows. */
import { createRequire } from 'node:module'
import t, { type Test } from 'tap'
import {
  codeOf,
  type Driver,
  isBusy,
  loadBetterSQLite3,
  loadDriver,
  loadNodeSQLite,
} from '../../brokers/sqlite/driver.js'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import { DependencyMissing } from '../../lib/errors.js'
import { makePath } from '../support/sqlite-files.js'

const ofNode = loadNodeSQLite()

// The first test, for what was required once is found without being looked for.
t.test('a missing driver says what to install, when the broker is constructed', async (t) => {
  type Resolve = (name: string, ...rest: unknown[]) => string
  const { Module } = createRequire(import.meta.url)('node:module') as { Module: { _resolveFilename: Resolve } }
  const resolve = Module._resolveFilename
  Module._resolveFilename = (name, ...rest) => {
    if (name === 'better-sqlite3') throw new Error(`Cannot find module '${name}'`)
    return resolve(name, ...rest)
  }
  t.teardown(() => {
    Module._resolveFilename = resolve
  })
  t.throws(() => loadBetterSQLite3(), DependencyMissing)
  t.throws(() => loadBetterSQLite3(), /npm install better-sqlite3/)
  if (!ofNode) t.throws(() => new SQLiteBroker({ path: makePath(t) }), DependencyMissing)
})

t.test(
  'node:sqlite',
  { skip: ofNode ? false : `Node ${process.version} has no node:sqlite (22.13 and later have)` },
  (t) => examine(t, ofNode as Driver),
)

t.test('better-sqlite3', async (t) => {
  let driver: Driver
  try {
    driver = loadBetterSQLite3()
    driver.open(makePath(t)).close()
  } catch (error) {
    if (!ofNode) throw error
    return t.plan(0, 'better-sqlite3 is not installed for this Node')
  }
  await examine(t, driver)
})

t.test("Node's own is preferred where there is one", async (t) => {
  t.equal(loadDriver().name, ofNode ? 'node:sqlite' : 'better-sqlite3')
})

t.test('loading node:sqlite hides no warning but its own', { skip: ofNode ? false : 'no node:sqlite' }, async (t) => {
  const { emitWarning } = process
  loadNodeSQLite()
  t.equal(process.emitWarning, emitWarning)
})

async function examine(t: Test, driver: Driver): Promise<void> {
  const path = makePath(t)
  const database = driver.open(path)
  t.teardown(() => database.close())
  database.exec(
    'PRAGMA journal_mode = wal; CREATE TABLE things (id INTEGER PRIMARY KEY, body); PRAGMA busy_timeout = 1',
  )
  const insert = database.prepare('INSERT INTO things (body) VALUES (?)')

  t.equal(Number(insert.run('text 世界').changes), 1)
  insert.run(new Uint8Array([0, 255]))
  insert.run(null)
  insert.run(2 ** 47)
  const rows = database.prepare('SELECT body FROM things ORDER BY id').all() as { body: unknown }[]
  t.equal(rows[0]?.body, 'text 世界')
  t.ok(rows[1]?.body instanceof Uint8Array)
  t.same(Buffer.from(rows[1]?.body as Uint8Array).toString('hex'), '00ff')
  t.equal(rows[2]?.body, null)
  t.equal(rows[3]?.body, 2 ** 47)

  t.match(database.prepare('SELECT :a AS a').get({ a: 'named' }), { a: 'named' })
  t.equal(database.prepare('SELECT 1 WHERE 0').get(), undefined)
  t.match(database.prepare('SELECT value FROM json_each(?)').all('[1,2]'), [{ value: 1 }, { value: 2 }])
  t.equal(Number(database.prepare('DELETE FROM things WHERE id > ?').run(2).changes), 2)

  const other = driver.open(path)
  t.teardown(() => other.close())
  const version = (): unknown =>
    (database.prepare('PRAGMA data_version').get() as { data_version: number }).data_version
  const before = version()
  insert.run('own')
  t.equal(version(), before, 'own commits do not show')
  other.exec("INSERT INTO things (body) VALUES ('other')")
  t.not(version(), before, "others' do")

  other.exec('BEGIN IMMEDIATE')
  const busy = caught(() => insert.run('blocked'))
  t.ok(isBusy(busy))
  t.equal(codeOf(busy), 'BUSY')
  other.exec('ROLLBACK')
  database.exec('PRAGMA max_page_count = 1')
  t.equal(codeOf(caught(() => insert.run('x'.repeat(100_000)))), 'FULL')
  t.equal(codeOf(caught(() => database.prepare('SELECT nonsense'))), 'ERROR')
  t.equal(codeOf(new Error('something else')), undefined)
}

function caught(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  return undefined
}
