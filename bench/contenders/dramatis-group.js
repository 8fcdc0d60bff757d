/**
 * A group of messages that do nothing, inline, on the broker of DRAMATIS_URL: from `run()` until its callback starts. Or
 * as many messages without a group, `plain`: until the last one has run.
 */
import { actor, getBroker, group, Worker } from '../../dist/lib/index.js'
import { messages, payload, report, timeRuns } from './report.js'

process.env.DRAMATIS_LOG_LEVEL ??= 'warn'

let left = messages
let finish = () => {}
const noop = actor(function noop() {
  if (--left === 0) finish()
})
const callback = actor(function callback() {
  finish()
})

const broker = getBroker()
const worker = new Worker(broker, { threads: 0, concurrency: 100 })
await worker.start()

const isGroup = process.argv[2] === 'group'
const times = await timeRuns(async () => {
  await broker.join('default')
  left = isGroup ? Number.POSITIVE_INFINITY : messages
  const members = Array.from({ length: messages }, () => noop.message(payload))
  const run = isGroup
    ? (members) => group(members, { onComplete: callback.message() }).run()
    : (members) => broker.enqueueMany(members)
  return async () => {
    const finished = new Promise((resolve) => {
      finish = resolve
    })
    await run(members)
    await finished
  }
})
await worker.stop()
await broker.close()
await report({ times })
