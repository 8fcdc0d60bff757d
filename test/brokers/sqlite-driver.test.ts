/** All drivers behave the same behind the interface that the broker uses. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import t, { type Test } from 'tap'
import type { Driver } from '../../brokers/sqlite/driver/database.js'
import {
  codeOf,
  isBusy,
  loadBetterSQLite3,
  loadDriver,
  loadInstalled,
  loadLibSQL,
  loadNodeSQLite,
} from '../../brokers/sqlite/driver/driver.js'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import { DependencyMissing } from '../../lib/errors.js'
import { makePath } from '../support/sqlite-files.js'

interface Package {
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly peerDependenciesMeta: Readonly<Record<string, { optional?: boolean }>>
}

const ofNode = loadNodeSQLite()
const lack = { 'better-sqlite3': lacks(loadBetterSQLite3), libsql: lacks(loadLibSQL) }

/** Makes `require` fail for these packages, each with its error, until the end of the test. */
function hide(t: Test, errors: Readonly<Record<string, Error>>): void {
  type Load = (name: string, ...rest: unknown[]) => unknown
  const { Module } = createRequire(import.meta.url)('node:module') as { Module: { _load: Load } }
  const load = Module._load
  Module._load = (name, ...rest) => {
    if (errors[name]) throw errors[name]
    return load(name, ...rest)
  }
  t.teardown(() => {
    Module._load = load
  })
}

const notFound = (name: string): Error =>
  Object.assign(new Error(`Cannot find module '${name}'`), { code: 'MODULE_NOT_FOUND' })
const otherNode = Object.assign(new Error('The module was compiled against a different Node.js version\nusing …'), {
  code: 'ERR_DLOPEN_FAILED',
})

// This must be the first test, because a driver that was found is cached.
t.test('without a driver the constructor of the broker throws, and names the package to install', async (t) => {
  hide(t, { 'better-sqlite3': notFound('better-sqlite3'), libsql: notFound('libsql') })
  t.throws(() => loadInstalled(), DependencyMissing)
  t.throws(() => loadInstalled(), { message: /Node v.* needs the package "libsql". Install it: npm install libsql$/ })
  if (!ofNode) t.throws(() => new SQLiteBroker({ path: makePath(t) }), DependencyMissing)
})

t.test("a driver built for another Node version isn't used, and is named if there is no other", async (t) => {
  hide(t, { 'better-sqlite3': otherNode, libsql: notFound('libsql') })
  t.throws(() => loadInstalled(), {
    message: /the one that is installed can't be loaded: .*different Node.js version\).*npm install libsql$/,
    cause: otherNode,
  })
})

t.test('libsql is used if better-sqlite3 fails', { skip: lack.libsql }, async (t) => {
  hide(t, { 'better-sqlite3': otherNode })
  t.equal(loadInstalled().name, 'libsql')
})

t.test('node:sqlite', { skip: ofNode ? false : `Node ${process.version} has none (22.13 and later have)` }, (t) =>
  examine(t, ofNode as Driver),
)

t.test('better-sqlite3', { skip: lack['better-sqlite3'] }, (t) => examine(t, loadBetterSQLite3()))

t.test('libsql', { skip: lack.libsql }, (t) => examine(t, loadLibSQL()))

t.test('installing this repository compiles nothing, and installing the package brings no driver', async (t) => {
  const read = (name: string): Package & { packages: Record<string, { hasInstallScript?: boolean }> } =>
    JSON.parse(readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8'))
  const scripts = Object.entries(read('package-lock.json').packages).filter(
    ([, { hasInstallScript }]) => hasInstallScript,
  )
  // Its script only checks whether the binary of the registry works.
  t.same(
    scripts.map(([path]) => path),
    ['node_modules/esbuild'],
  )
  const { dependencies, peerDependencies, peerDependenciesMeta } = read('package.json')
  for (const name of ['libsql', 'better-sqlite3']) {
    t.notOk(dependencies[name])
    t.ok(peerDependencies[name])
    t.ok(peerDependenciesMeta[name]?.optional, name)
  }
})

t.test('node:sqlite is preferred if available, then better-sqlite3', async (t) => {
  t.equal(loadDriver().name, ofNode ? 'node:sqlite' : lack['better-sqlite3'] ? 'libsql' : 'better-sqlite3')
})

t.test(
  'loading node:sqlite suppresses only its own warning',
  { skip: ofNode ? false : 'no node:sqlite' },
  async (t) => {
    const { emitWarning } = process
    loadNodeSQLite()
    t.equal(process.emitWarning, emitWarning)
  },
)

/** Why a driver can't be tested; `false` if it can. If Node has no SQLite, libsql must be installed. */
function lacks(load: () => Driver): string | false {
  try {
    load()
    return false
  } catch (error) {
    if (load === loadLibSQL && !ofNode) throw error
    return `not installed: ${(error as Error).message.split('\n')[0]}`
  }
}

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
  t.same(Object.keys(database.prepare('SELECT 1 AS one').get() as object), ['one'], 'only the columns')
  t.equal((database.prepare('SELECT ? AS a').get(null) as { a: unknown }).a, null, 'a single NULL is a value')
  t.ok((database.prepare('SELECT ? AS a').get(new Uint8Array(2)) as { a: unknown }).a instanceof Uint8Array)
  // A value of an unsupported type may be refused or not; the process survives it.
  caught(() => database.prepare('SELECT ?').get(true as unknown as number))
  const many = database.prepare('SELECT value FROM json_each(?)')
  for (const count of [99, 100, 101, 200]) t.equal(many.all(JSON.stringify(Array(count).fill(7))).length, count)
  t.equal(database.prepare('SELECT 1 WHERE 0').get(), undefined)
  t.match(database.prepare('SELECT value FROM json_each(?)').all('[1,2]'), [{ value: 1 }, { value: 2 }])
  t.equal(Number(database.prepare('DELETE FROM things WHERE id > ?').run(2).changes), 2)

  const other = driver.open(path)
  t.teardown(() => other.close())
  const version = (): unknown =>
    (database.prepare('PRAGMA data_version').get() as { data_version: number }).data_version
  const before = version()
  insert.run('own')
  t.equal(version(), before, 'commits of this connection are not counted')
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
  t.equal(codeOf(caught(() => driver.open(dirname(path)).exec('SELECT 1'))), 'CANTOPEN')
  examineEnd(t, driver)
}

/** A closed connection blocks no other, and refuses every call. */
function examineEnd(t: Test, driver: Driver): void {
  const path = makePath(t)
  const closing = driver.open(path)
  closing.exec('PRAGMA journal_mode = wal; CREATE TABLE things (body)')
  const insert = closing.prepare('INSERT INTO things VALUES (?)')
  insert.run('kept')
  closing.exec('BEGIN IMMEDIATE')
  insert.run('not committed')
  closing.close()
  t.throws(() => insert.run('too late'))
  t.throws(() => closing.prepare('SELECT 1'))

  const next = driver.open(path)
  t.teardown(() => next.close())
  next.exec('PRAGMA busy_timeout = 1; BEGIN IMMEDIATE; COMMIT')
  t.match(next.prepare('SELECT body FROM things').all(), [{ body: 'kept' }])
}

function caught(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  return undefined
}
