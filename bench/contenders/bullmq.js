/** BullMQ: `addBulk` is not used, since what is measured is many single sends; jobs are removed when done, as its docs advise. */
import { Queue, Worker } from 'bullmq'
import { messages, payload, rate, report, timeSends } from './report.js'

const { hostname: host, port } = new URL(process.argv[2])
const connection = { host, port: Number(port), maxRetriesPerRequest: null }
const options = { removeOnComplete: true, removeOnFail: true }
const queue = new Queue('bench', { connection, defaultJobOptions: options })
await queue.waitUntilReady()
const enqueued = await timeSends(() => queue.add('noop', { payload }))

let left = messages
const start = performance.now()
const worker = new Worker('bench', async () => {}, { connection, concurrency: 100, removeOnComplete: { count: 0 } })
worker.on('completed', async () => {
  if (--left === 0) await report({ enqueued, processed: rate(start) })
})
