/** bee-queue: events and results off, jobs removed when done, as its README advises for speed. */
import Queue from 'bee-queue'
import { messages, payload, rate, report, timeSends } from './report.js'

const { hostname: host, port } = new URL(process.argv[2])
const options = {
  redis: { host, port: Number(port) },
  getEvents: false,
  sendEvents: false,
  storeJobs: false,
  removeOnSuccess: true,
}
const queue = new Queue('bench', { ...options, isWorker: false })
await queue.ready()
const enqueued = await timeSends(() => queue.createJob({ payload }).save())

let left = messages
const start = performance.now()
const worker = new Queue('bench', options)
worker.process(100, async () => {})
worker.on('succeeded', async () => {
  if (--left === 0) await report({ enqueued, processed: rate(start) })
})
