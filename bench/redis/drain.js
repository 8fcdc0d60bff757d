/**
 * How fast a worker drains a backlog, and whether that depends on its length: inline, no-op, 200-byte messages, each
 * backlog stored before the worker starts. Short ones are drained several times; then the median counts.
 *
 * $ node bench/redis/drain.js [10000 1000000]
 */
process.env.DRAMATIS_LOG_LEVEL ??= 'warn'

import { actor, getBroker, Worker } from '../../dist/lib/index.js'
import { payload } from '../contenders/report.js'
import { startRedis } from '../redis-server.js'
import { fill } from './fill.js'

const given = process.argv.slice(2).map(Number)
const sizes = given.length > 0 ? given : [10_000, 1_000_000]
/** A few seconds of work for each size, as far as that takes several rounds. */
const roundsOf = (size) => Math.min(9, Math.max(1, Math.round(200_000 / size)))

let left = 0
let finish = () => {}
const noop = actor(async function noop() {
  if (--left === 0) finish()
})

const server = await startRedis()
process.env.DRAMATIS_URL = server.url
const broker = getBroker()

/** Messages per second, from the start of the worker to the last acknowledgement. */
async function drain(size) {
  await fill(broker, size, () => noop.message(payload))
  const worker = new Worker(broker, { threads: 0, concurrency: 100 })
  const finished = new Promise((resolve) => {
    left = size
    finish = resolve
  })
  const startedAt = performance.now()
  await worker.start()
  await finished
  await broker.join('default')
  const rate = size / ((performance.now() - startedAt) / 1000)
  await worker.stop()
  return rate
}

const median = (figures) => figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)]

// A warm-up, until the code is compiled.
await drain(20_000)
const rates = []
for (const size of sizes) {
  const rounds = []
  while (rounds.length < roundsOf(size)) rounds.push(await drain(size))
  rates.push(median(rounds))
  console.log(`a backlog of ${size}: ${Math.round(median(rounds))} messages a second, median of ${rounds.length}`)
}
for (const [index, size] of sizes.entries()) {
  if (index > 0) console.log(`${size} at ${(rates[index] / rates[0]).toFixed(2)} × the rate of ${sizes[0]}`)
}
await broker.close()
await server.stop()
