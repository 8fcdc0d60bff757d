/** bee-queue: events and stored jobs off, done jobs removed, as its README advises for speed. */
import Queue from 'bee-queue'
import { messages, meter, payload, report, timeSends, timeStarts } from './report.js'

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
let onRan = () => {}
const stop = meter()
const worker = new Queue('bench', options)
worker.process(100, async () => onRan())
worker.on('succeeded', async () => {
  if (--left !== 0) return
  const processed = stop()
  const latency = await timeStarts(
    () => queue.createJob({ payload }).save(),
    (started) => {
      onRan = started
    },
  )
  await report({ enqueued, processed, latency })
})
