/** plainjobs, as its README has it; one worker, which takes one job at a time (it has no other way). */
import Database from 'better-sqlite3'
import { defineQueue, defineWorker } from 'plainjobs'
import { messages, payload, rate, report } from './report.js'

const quiet = { error() {}, warn() {}, info() {}, debug() {} }
const queue = defineQueue({ connection: new Database(process.argv[2]), logger: quiet })

let start = performance.now()
for (let sent = 0; sent < messages; sent++) queue.add('noop', { payload })
const enqueued = rate(start)

let left = messages
start = performance.now()
const worker = defineWorker(
  'noop',
  async () => {
    if (--left === 0) {
      const processed = rate(start)
      void worker.stop()
      await report({ enqueued, processed })
    }
  },
  { queue, logger: quiet },
)
void worker.start()
