/**
 * Child process of the SQLite tests: stops a worker whose threads use the database and don't end by themselves,
 * reports whether the database is intact, and exits while the threads of another worker use it.
 *
 * argv: path
 */
import { writeSync } from 'node:fs'
import { loadDriver } from '../../brokers/sqlite/driver/driver.js'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import { actor } from '../../lib/actor.js'
import { Worker } from '../../lib/worker/worker.js'

const [path] = process.argv.slice(2) as [string]
process.env.RESTLESS_PATH = path
const database = loadDriver().open(path)
database.exec('PRAGMA journal_mode = wal; CREATE TABLE things (id INTEGER PRIMARY KEY, body TEXT)')

async function start(): Promise<Worker> {
  const broker = new SQLiteBroker({ path: `${path}-queue` })
  actor(function idle() {}, { broker })
  const worker = new Worker(broker, { threads: 4, modules: [new URL('./sqlite-restless.ts', import.meta.url).href] })
  await worker.start()
  return worker
}

const worker = await start()
await worker.stop()

// Their locks are released, and their unfinished transactions are rolled back.
database.exec('PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE')
const { rows } = database.prepare('SELECT count(*) AS rows FROM things').get() as { rows: number }
const { integrity_check: check } = database.prepare('PRAGMA integrity_check').get() as { integrity_check: string }
database.exec('COMMIT')
writeSync(1, `${check} ${rows > 0} ${rows % 20}\n`)

await start()
process.exit(0)
