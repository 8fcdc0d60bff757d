/** plainjobs, as in its README; one worker, which takes one job at a time (it supports no other way). */
import Database from 'better-sqlite3'
import { defineQueue, defineWorker } from 'plainjobs'
import { messages, meter, payload, report } from './report.js'

const quiet = { error() {}, warn() {}, info() {}, debug() {} }
const queue = defineQueue({ connection: new Database(process.argv[2]), logger: quiet })

let stop = meter()
for (let sent = 0; sent < messages; sent++) queue.add('noop', { payload })
const enqueued = stop()

let left = messages
const worker = defineWorker(
  'noop',
  async () => {
    if (--left === 0) await report({ enqueued, processed: stop() })
  },
  { queue, logger: quiet },
)
stop = meter()
void worker.start()
