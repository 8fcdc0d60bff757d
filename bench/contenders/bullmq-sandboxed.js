/**
 * BullMQ's sandboxed processors: each job in one of two worker threads or, with `processes`, of two child processes.
 *
 * $ node bench/contenders/bullmq-sandboxed.js redis://… threads
 */
import { Queue, Worker } from 'bullmq'
import { messages, meter, payload, report, timeSends } from './report.js'

const { hostname: host, port } = new URL(process.argv[2])
const connection = { host, port: Number(port), maxRetriesPerRequest: null }
const queue = new Queue('bench', { connection, defaultJobOptions: { removeOnComplete: true, removeOnFail: true } })
await queue.waitUntilReady()
await timeSends(() => queue.add('burn', { payload }))

let left = messages
let stop = meter()
const worker = new Worker('bench', new URL('./bullmq-processor.js', import.meta.url), {
  connection,
  concurrency: 2,
  useWorkerThreads: process.argv[3] === 'threads',
})
worker.on('completed', async () => {
  // The first two start the threads.
  if (--left === messages - 2) stop = meter()
  if (left === 0) await report({ processed: stop() })
})
