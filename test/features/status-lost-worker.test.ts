/** After `kill -9` of a worker, the status is that of the worker that the message is given to. */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { type Test, t } from 'tap'
import { RedisBroker } from '../../brokers/redis/index.js'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import type { Broker } from '../../lib/broker.js'
import { current } from '../../lib/index.js'
import { gate, stage, until } from '../support/memory.js'
import { Child } from '../support/processes.js'
import { withRedisUrl } from '../support/redis-server.js'
import { makePath } from '../support/sqlite-files.js'

async function ask(t: Test, broker: Broker, args: readonly string[]): Promise<void> {
  const s = stage(t, broker as never)
  const ending = gate()
  const job = s.actor(
    async () => {
      await ending.opened
      current().log('of the second worker')
    },
    { actorName: 'job', trackStatus: true, maxRetries: 3 },
  )
  const message = await job.send()

  // Given a worker that is killed while it runs the message
  const child = new Child(t, 'status-worker.ts', args)
  await until(async () => (await message.status()).progress === 0.5, 'the first run')
  await until(async () => (await message.logs()).length === 1, 'its log')
  const first = await message.status()
  t.match(first, { state: 'running', attempt: 1, maxAttempts: 4, worker: `${hostname()}:${child.process.pid}` })
  await child.kill()
  t.match(await message.status(), { state: 'running' }, 'nobody knows yet')

  // When another worker has it
  await s.work()
  await until(async () => (await message.status()).attempt === 2, 'the second run')
  const second = await message.status()
  t.match(second, { state: 'running', worker: `${hostname()}:${process.pid}`, queuedAt: first.queuedAt })
  t.equal(second.progress, undefined, 'the progress of a run that is lost is lost with it')
  t.ok((second.startedAt as number) > (first.startedAt as number))
  ending.open()
  await until(async () => (await message.status()).state === 'succeeded', 'the end')
  t.match(await message.status(), { attempt: 2, maxAttempts: 4 })
  t.same(
    (await message.logs()).map(({ text }) => text),
    ['of the first worker', 'of the second worker'],
  )
}

t.test('SQLite', { timeout: 60_000 }, async (t) => {
  const path = makePath(t)
  await ask(t, new SQLiteBroker({ path }), [path, ''])
})

await withRedisUrl((url) => {
  t.test('Redis', { timeout: 60_000 }, async (t) => {
    const namespace = `status-${randomUUID()}`
    await ask(t, new RedisBroker({ url, namespace, heartbeatTimeout: 1000 }), [url, namespace])
  })
})
