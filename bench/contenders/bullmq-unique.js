/**
 * BullMQ's deduplication: adds of 100 ids, until the job has finished (`skip`), or the last one of a delay (`replace`, a
 * debounce as in its docs); or as many adds without it, `plain`. Nothing runs meanwhile.
 */
import { Queue } from 'bullmq'
import { payload, report, timeRuns, timeSends } from './report.js'

const kind = process.argv[3]
const { hostname: host, port } = new URL(process.argv[2])
const queue = new Queue('bench', { connection: { host, port: Number(port), maxRetriesPerRequest: null } })
await queue.waitUntilReady()
let sent = 0
const optionsOf = {
  plain: () => ({}),
  skip: (id) => ({ deduplication: { id } }),
  replace: (id) => ({ deduplication: { id, ttl: 60_000, extend: true, replace: true }, delay: 60_000 }),
}[kind]
const send = (run) => {
  const id = `${run}-${sent++ % 100}`
  return queue.add('index', { page: id, payload }, optionsOf(id))
}

const sends = []
const times = await timeRuns((run) => async () => void sends.push(await timeSends(() => send(run))))
const { rate, cpu } = sends.toSorted((a, b) => a.rate - b.rate)[Math.floor(sends.length / 2)]
await report({ enqueued: { rate, cpu }, times })
