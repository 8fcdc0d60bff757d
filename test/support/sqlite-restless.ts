/**
 * The module of the threads of `sqlite-terminations.ts`: from then on they execute statements nearly all the time.
 */
import { isBusy, loadDriver } from '../../brokers/sqlite/driver/driver.js'

const database = loadDriver().open(process.env.RESTLESS_PATH as string)
database.exec('PRAGMA busy_timeout = 20')
const insert = database.prepare('INSERT INTO things (body) VALUES (?)')
const select = database.prepare('SELECT body FROM things ORDER BY id DESC LIMIT 50')

function work(): void {
  setImmediate(work)
  try {
    database.exec('BEGIN IMMEDIATE')
  } catch (error) {
    if (isBusy(error)) return
    throw error
  }
  for (let index = 0; index < 20; index++) insert.run('x'.repeat(50))
  select.all()
  database.exec('COMMIT')
}
setImmediate(work)
