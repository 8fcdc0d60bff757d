/**
 * BullMQ: many single `add` calls, because those are measured (it has `addBulk`, too). Completed jobs are removed, and
 * the worker has the same concurrency as ours, as its docs advise.
 */
import { Queue, Worker } from 'bullmq'
import { messages, meter, payload, report, timeSends, timeStarts } from './report.js'

const { hostname: host, port } = new URL(process.argv[2])
const connection = { host, port: Number(port), maxRetriesPerRequest: null }
const queue = new Queue('bench', { connection, defaultJobOptions: { removeOnComplete: true, removeOnFail: true } })
await queue.waitUntilReady()
const enqueued = await timeSends(() => queue.add('noop', { payload }))

let left = messages
let onRan = () => {}
const stop = meter()
const worker = new Worker('bench', async () => onRan(), { connection, concurrency: 100 })
worker.on('completed', async () => {
  if (--left !== 0) return
  const processed = stop()
  const latency = await timeStarts(
    () => queue.add('noop', { payload }),
    (started) => {
      onRan = started
    },
  )
  await report({ enqueued, processed, latency })
})
