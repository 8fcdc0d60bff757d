/**
 * The cost of a terminated thread: the time from the limit of an actor that never returns until the replacement thread
 * runs the next message. The grace period in between is the library's default unless given.
 *
 * $ node bench/termination.js [grace in ms]
 */
import { isMainThread } from 'node:worker_threads'
import { MemoryBroker } from '../dist/brokers/memory/index.js'
import { actor, getBroker, setBroker, TimeLimit, Worker } from '../dist/lib/index.js'

const limit = 200
const spin = actor(
  function spin() {
    for (;;);
  },
  { timeLimit: limit, maxRetries: 0, storeResults: true },
)
const now = actor(
  function now() {
    return Date.now()
  },
  { storeResults: true },
)

if (isMainThread) {
  process.env.DRAMATIS_LOG_LEVEL ??= 'silent'
  const grace = Number(process.argv[2] ?? 1000)
  const broker = new MemoryBroker()
  broker.use(new TimeLimit({ grace }))
  setBroker(broker)
  const worker = new Worker(getBroker(), { threads: 1, concurrency: 1, modules: [import.meta.url] })
  await worker.start()
  const costs = []
  for (let round = 0; round < 7; round++) {
    await (await now.send()).result()
    const started = Date.now()
    await spin.send()
    const next = await now.send()
    costs.push((await next.result({ timeout: '1m' })) - started - limit)
  }
  costs.sort((a, b) => a - b)
  console.log(
    `from the limit to the next message on the new thread: ${costs[3]} ms (${costs[0]} to ${costs.at(-1)}), of which ${grace} ms are grace`,
  )
  await worker.stop()
  await broker.close()
}
