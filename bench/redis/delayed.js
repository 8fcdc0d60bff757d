/**
 * What delayed messages cost a worker: its memory beside so many of them that are far from due, and how late near ones
 * start on it, sent while it is idle.
 *
 * $ node --expose-gc bench/redis/delayed.js 1000000
 */
import { setTimeout as wait } from 'node:timers/promises'
import { RedisBroker } from '../../dist/brokers/redis/index.js'
import { actor, Worker } from '../../dist/lib/index.js'
import { startRedis } from '../redis-server.js'

process.env.DRAMATIS_LOG_LEVEL ??= 'warn'
const far = Number(process.argv[2] ?? 1_000_000)
const server = await startRedis()
const broker = new RedisBroker({ url: server.url })
const late = []
const note = actor(async (due) => void late.push(Date.now() - due), { actorName: 'note', broker })

const megabytes = async () => {
  globalThis.gc?.()
  await wait(500)
  globalThis.gc?.()
  const { rss, heapUsed } = process.memoryUsage()
  return { rss: rss / 2 ** 20, heap: heapUsed / 2 ** 20 }
}

const lateness = async (name) => {
  late.length = 0
  for (let index = 0; index < 300; index++) {
    const delay = 150 - (index % 3) * 40
    await note.sendWithOptions({ args: [Date.now() + delay], delay })
    await wait(7)
  }
  while (late.length < 300) await wait(10)
  const sorted = late.toSorted((a, b) => a - b)
  console.log(`${name}: near ones start ${sorted[150]} ms late at p50, ${sorted[296]} ms at p99`)
}

const worker = new Worker(broker, { threads: 0, concurrency: 10 })
await worker.start()
await lateness('beside none')
const before = await megabytes()
for (let sent = 0; sent < far; sent += 5000) {
  await note.sendMany(
    Array.from({ length: 5000 }, () => [0]),
    { delay: '7d' },
  )
}
const after = await megabytes()
console.log(
  `${far} far delayed messages add ${(after.heap - before.heap).toFixed(1)} MB of heap, ${(after.rss - before.rss).toFixed(1)} MB of memory`,
)
await lateness(`beside ${far}`)
await worker.stop()
await broker.close()
await server.stop()
