/**
 * The worker over Redis: how fast it drains a backlog inline, and how long an idle one takes to start a message.
 *
 *     node --import=tsx bench/redis/worker.ts redis://127.0.0.1:6379 50000
 */
import { randomUUID } from 'node:crypto'
import { RedisBroker } from '../../brokers/redis/index.js'
import { actor } from '../../lib/actor.js'
import { setLogger } from '../../lib/logger.js'
import { Worker } from '../../lib/worker/worker.js'
import { bareDrain, bareEnqueue } from './bare.js'

const url = process.argv[2] ?? 'redis://127.0.0.1:6379'
const count = Number(process.argv[3] ?? 50_000)
const silent = (): void => {}
setLogger({ debug: silent, info: silent, warn: silent, error: console.error })

/** Messages per second, and microseconds of CPU of this process per message. */
async function measure(name: string, work: () => Promise<void>): Promise<void> {
  const start = performance.now()
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  const rate = (count / (performance.now() - start)) * 1000
  console.log(
    `${name.padEnd(26)} ${rate.toFixed(0).padStart(8)}/s ${((user + system) / count).toFixed(2).padStart(8)} µs of CPU`,
  )
}

for (let round = 0; round < 3; round++) {
  const namespace = randomUUID()
  await bareEnqueue({ url, namespace, count })
  await measure('bare fetch and ack', () => bareDrain({ url, namespace, count }))

  await bareEnqueue({ url, namespace, count })
  const broker = new RedisBroker({ url, namespace })
  let done = 0
  let finish = (): void => {}
  const noop = actor(
    () => {
      if (++done === count) finish()
    },
    { actorName: 'noop', queueName: 'bench', broker },
  )
  const worker = new Worker(broker, { threads: 0, concurrency: 100 })
  await measure('worker, inline', async () => {
    const finished = new Promise<void>((resolve) => {
      finish = resolve
    })
    await worker.start()
    await finished
    await broker.join('bench')
  })

  const waits: number[] = []
  for (let index = 0; index < 300; index++) {
    await new Promise((resolve) => setTimeout(resolve, 2))
    const start = performance.now()
    const started = new Promise<void>((resolve) => {
      done = count - 1
      finish = resolve
    })
    await noop.send()
    await started
    waits.push(performance.now() - start)
  }
  waits.sort((a, b) => a - b)
  console.log(`idle send to start          p50 ${waits[150]?.toFixed(2)} ms, p99 ${waits[297]?.toFixed(2)} ms`)
  await worker.stop()
  await broker.flush('bench')
  await broker.close()
}
