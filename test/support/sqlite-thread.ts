/** A thread of the SQLite tests: sends one message with its own broker, then stays in the middle of a transaction. */
import { parentPort, workerData } from 'node:worker_threads'
import { loadDriver } from '../../brokers/sqlite/driver/driver.js'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import { Message } from '../../lib/message.js'

const { path } = workerData as { path: string }
const broker = new SQLiteBroker({ path, middleware: [] })
await broker.enqueue(new Message({ queueName: 'exam', actorName: 'note', args: ['from a thread'] }))
await broker.close()
const database = loadDriver().open(path)
database.exec('PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE')
parentPort?.postMessage('in the middle')
for (;;);
