/** BullMQ's flow: a parent that waits for its children, which do nothing. From `add()` until the parent starts. */
import { FlowProducer, Worker } from 'bullmq'
import { messages, payload, report, timeRuns } from './report.js'

const { hostname: host, port } = new URL(process.argv[2])
const connection = { host, port: Number(port), maxRetriesPerRequest: null }
const flows = new FlowProducer({ connection })
const options = { connection, concurrency: 100 }
let finish = () => {}
const children = new Worker('children', async () => {}, options)
const parents = new Worker('parents', async () => finish(), options)
await Promise.all([flows.waitUntilReady(), children.waitUntilReady(), parents.waitUntilReady()])

const opts = { removeOnComplete: true }
const times = await timeRuns(() => {
  const list = Array.from({ length: messages }, () => ({
    name: 'noop',
    queueName: 'children',
    data: { payload },
    opts,
  }))
  return async () => {
    const finished = new Promise((resolve) => {
      finish = resolve
    })
    await flows.add({ name: 'parent', queueName: 'parents', opts, children: list })
    await finished
  }
})
await report({ times })
