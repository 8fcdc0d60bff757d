/** A worker looks at its store before it starts: what no waiting can mend ends it, with one clear error and code 1. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { MemoryBroker, MemoryResults } from '../../brokers/memory/index.js'
import { loadDriver } from '../../brokers/sqlite/driver/driver.js'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import { actor } from '../../lib/actor.js'
import { BrokerUnusable, ConnectionFailed, IncompatibleStore } from '../../lib/errors.js'
import { Worker } from '../../lib/worker/worker.js'
import { Results as ResultsPlugin } from '../../middleware/results.js'
import { captureLog } from '../support/log.js'
import { until } from '../support/memory.js'
import { Child } from '../support/processes/child.js'
import { inDatabase, makeFolder, makePath } from '../support/sqlite-files.js'

const main = fileURLToPath(new URL('../support/processes/main.ts', import.meta.url))

/** Files that are of no use, and what is said of each. */
const unusable: Record<string, { make: (path: string) => string; text: RegExp }> = {
  "another program's file": {
    make: (path) => {
      inDatabase(path, (database) => database.exec('CREATE TABLE songs (title TEXT)'))
      return path
    },
    text: /belongs to another program.*give another path/,
  },
  'a file that is no database': {
    make: (path) => {
      writeFileSync(path, 'Dear diary, '.repeat(500))
      return path
    },
    text: /is not a SQLite database.*give another path/,
  },
  'a folder that is missing': {
    make: (path) => join(dirname(path), 'missing', 'queue.db'),
    text: /The folder .*missing .* does not exist. Create it/,
  },
  'a schema of the future': {
    make: (path) => {
      inDatabase(path, (database) => database.exec('PRAGMA application_id = 1685220723; PRAGMA user_version = 99'))
      return path
    },
    text: /schema version 99/,
  },
}

t.test('a file that is of no use ends runWorker() with code 1', async (t) => {
  const all = Object.entries(unusable).map(async ([name, { make, text }], index) => {
    const options = { threads: index % 2 }
    const env = { DRAMATIS_URL: `sqlite:${make(makePath(t))}`, WORKER_OPTIONS: JSON.stringify(options) }
    const worker = new Child(t, [main], env)
    t.same(await worker.ended, [1, null], name)
    const errors = worker.log.filter(({ level }) => level >= 50)
    t.equal(errors.length, 1, 'one error')
    t.match(errors[0]?.msg, /^The worker could not start: /)
    t.match(errors[0]?.msg, text)
    t.notOk(worker.log.some(({ msg }) => msg === 'Worker started'))
  })
  await Promise.all(all)
})

for (const [name, { make, text }] of Object.entries(unusable)) {
  t.test(`${name}: start(), send(), result() and check() reject with the same`, async (t) => {
    captureLog()
    const broker = new SQLiteBroker({ path: make(makePath(t)) })
    t.teardown(() => broker.close())
    const job = actor(() => {}, { actorName: 'job', broker })
    const worker = new Worker(broker, { threads: 0 })
    const calls = [() => worker.start(), () => job.send(), () => job.message().result(), () => broker.check()]
    for (const call of calls) {
      const error = await call().catch((reason: unknown) => reason)
      t.ok(error instanceof BrokerUnusable)
      t.match(error, { message: text })
    }
  })
}

t.test('a database that is damaged inside is found, too', async (t) => {
  captureLog()
  const path = makePath(t)
  const before = new SQLiteBroker({ path })
  await before.check()
  await before.close()
  // A driver may close its file only later: what is still in the log beside it would hide the damage.
  const database = loadDriver().open(path)
  database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()
  database.close()
  for (const end of ['-wal', '-shm']) rmSync(path + end, { force: true })
  const bytes = readFileSync(path)
  writeFileSync(path, bytes.fill(7, 4096))
  const broker = new SQLiteBroker({ path })
  t.teardown(() => broker.close())
  await t.rejects(broker.check(), IncompatibleStore)
})

t.test('a store that is only busy, or away, keeps no worker from starting; it is said, and said again', async (t) => {
  const log = captureLog()
  const path = makePath(t)
  const broker = new SQLiteBroker({ path })
  t.teardown(() => broker.close())
  await broker.check()
  const other = loadDriver().open(path)
  t.teardown(() => other.close())
  other.exec('BEGIN IMMEDIATE')
  await t.rejects(broker.check({ timeout: 30 }), ConnectionFailed)
  const ran: number[] = []
  const job = actor((n: number) => void ran.push(n), { actorName: 'job', broker })
  const worker = new Worker(broker, { threads: 0 })
  t.teardown(() => worker.stop({ timeout: 0 }))
  await worker.start()
  t.match(
    log.filter(({ level }) => level === 'warn'),
    [{ level: 'warn', text: /^The broker is not available; the worker starts anyway/ }],
  )
  t.ok(log.some(({ text }) => text === 'Worker started'))
  other.exec('ROLLBACK')
  await job.send(1)
  await until(() => ran.length === 1 && log.some(({ text }) => text === 'The broker is available'))
})

t.test('a store that turns out to be of no use when it is there ends the worker after all', async (t) => {
  const log = captureLog()
  const path = join(makeFolder(t), 'queue.db')
  const broker = new SQLiteBroker({ path })
  t.teardown(() => broker.close())
  let looks = 0
  // As a server that is started after its workers, with another password than they have.
  broker.check = async () => {
    if (++looks < 3) throw new ConnectionFailed('away')
    throw new BrokerUnusable('no such user')
  }
  actor(() => {}, { actorName: 'job', broker })
  const worker = new Worker(broker, { threads: 0 })
  t.teardown(() => worker.stop({ timeout: 0 }))
  const fatal = new Promise<Error>((resolve) => {
    worker.onFatal = resolve
  })
  await worker.start()
  t.ok(log.some(({ text }) => text === 'Worker started'))
  t.match(await fatal, { name: 'BrokerUnusable', message: 'no such user' })
})

t.test('a worker that is stopped while it looks at its store starts no more', async (t) => {
  captureLog()
  const broker = new SQLiteBroker({ path: makePath(t) })
  t.teardown(() => broker.close())
  broker.check = () => new Promise(() => {})
  actor(() => {}, { actorName: 'job', broker })
  const worker = new Worker(broker, { threads: 0 })
  const starting = worker.start()
  await worker.stop({ timeout: 0 })
  await starting
  t.same(worker.queues, [])
})

t.test('whatever becomes of its store later, a worker says so and goes on when that is mended', async (t) => {
  const log = captureLog()
  const folder = makeFolder(t)
  const path = join(folder, 'queue.db')
  const broker = new SQLiteBroker({ path })
  t.teardown(() => broker.close())
  const ran: number[] = []
  const job = actor((n: number) => void ran.push(n), { actorName: 'job', broker })
  const worker = new Worker(broker, { threads: 0 })
  t.teardown(() => worker.stop({ timeout: 0 }))
  await worker.start()
  await job.send(1)
  await until(() => ran.length === 1)

  // As a volume that is unmounted.
  renameSync(folder, `${folder}-away`)
  const error = await job.send(2).catch((reason: unknown) => reason)
  t.ok(error instanceof BrokerUnusable)
  const said = (text: RegExp): boolean => log.some((line) => text.test(line.text))
  await until(() => said(/^Can't take messages from "default"; trying again until it works/))
  t.ok(log.find(({ text }) => text.startsWith("Can't take"))?.fields.err instanceof BrokerUnusable)

  renameSync(`${folder}-away`, folder)
  await until(() => said(/^Taking messages from "default" again/))
  await job.send(3)
  await until(() => ran.length === 2)
})

t.test('check() has one time for the broker and its results', async (t) => {
  let left = 0
  class Results extends MemoryResults {
    override async check(timeout: number): Promise<void> {
      left = timeout
    }
  }
  class Slow extends MemoryBroker {
    protected override checkStore(): Promise<void> {
      return new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  const broker = new Slow({ middleware: [new ResultsPlugin({ backend: new Results() })] })
  t.teardown(() => broker.close())
  await broker.check({ timeout: '1s' })
  t.ok(left > 0 && left < 950, `${left} ms are left`)
})
