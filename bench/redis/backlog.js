/**
 * Whether a long backlog slows the worker down: the rate at which it drains so many messages, small and large in turn.
 *
 * $ node bench/redis/backlog.js 10000 1000000
 */

import { RedisBroker } from '../../dist/brokers/redis/index.js'
import { actor, Worker } from '../../dist/lib/index.js'
import { startRedis } from '../redis-server.js'

process.env.DRAMATIS_LOG_LEVEL ??= 'warn'
const sizes = process.argv.slice(2).map(Number)
const rates = {}

for (const size of sizes) {
  const server = await startRedis()
  const broker = new RedisBroker({ url: server.url })
  let left = size
  let finish = () => {}
  const noop = actor(
    async () => {
      if (--left === 0) finish()
    },
    { actorName: 'noop', broker },
  )
  for (let sent = 0; sent < size; sent += 5000) {
    await noop.sendMany(Array.from({ length: Math.min(5000, size - sent) }, () => []))
  }
  const worker = new Worker(broker, { threads: 0, concurrency: 100 })
  const finished = new Promise((resolve) => {
    finish = resolve
  })
  const start = performance.now()
  await worker.start()
  await finished
  await broker.join('default')
  rates[size] = Math.round((size / (performance.now() - start)) * 1000)
  console.log(`a backlog of ${size}: ${rates[size]} messages a second`)
  await worker.stop()
  await broker.close()
  await server.stop()
}
if (sizes.length === 2) console.log(`ratio: ${(rates[sizes[1]] / rates[sizes[0]]).toFixed(2)}`)
