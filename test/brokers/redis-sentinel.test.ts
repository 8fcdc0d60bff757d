/** Redis with a sentinel: messages and workers after a change of the master. */
import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { t } from 'tap'
import { RedisBroker, type RedisBrokerOptions } from '../../brokers/redis/index.js'
import { inTime, note, notes, queueName, until } from '../../testing/contract/brokers/exam.js'
import { captureLog } from '../support/log.js'
import { Child } from '../support/processes.js'
import { consumeAll } from '../support/redis-consume.js'
import { withSentinel } from '../support/redis-sentinel.js'
import { freePort } from '../support/redis-server.js'

captureLog()

await withSentinel(({ options: sentinel, master, replica, replicated, failOver }) => {
  const connectionName = 'failover'
  const options = { ...sentinel, connectionName }
  const [first, second] = [master.client(), replica.client()]

  t.test('a producer that has sent, or found no sentinel, and closes nothing, ends', async (t) => {
    const lost = { ...options, sentinels: [{ host: '127.0.0.1', port: await freePort() }] }
    for (const [redis, end] of [
      [options, 'stored'],
      [lost, 'EnqueueTimeout'],
    ] as const) {
      const settings = { redis, namespace: randomUUID(), enqueueTimeout: end === 'stored' ? 5000 : 300 }
      const child = new Child(t, 'redis-one-send.ts', [JSON.stringify(settings)])
      await inTime(child.ended(), `the end of a producer: ${end}`)
      t.same(child.lines, [end])
    }
    const broker = new RedisBroker({ redis: lost, middleware: [], enqueueTimeout: 300 })
    t.teardown(() => broker.close())
    await t.rejects(broker.enqueue(note('x')), { message: /it was not sent: no sentinel answers/ })
  })

  t.test('after a failover workers consume again, and what the replica had is there', async (t) => {
    const open = (more: RedisBrokerOptions = {}): RedisBroker =>
      new RedisBroker({ redis: options, namespace: randomUUID(), middleware: [], ...more })
    // Given a worker that sleeps, another queue's worker with a backlog, and messages in every state.
    const idle = open()
    const idleWorker = consumeAll(idle)
    t.teardown(() => idleWorker.close())
    await idle.enqueue(note('before'))
    await until(() => idleWorker.seen.includes('before'), 'the first message')
    const sender = open()
    t.teardown(() => sender.close())
    await sender.enqueueMany(notes(500))
    await sender.enqueueMany(notes(20, { broker_priority: 7 }).map((message) => message.with({ args: ['urgent'] })))
    await sender.enqueue(note('delayed'), { delay: 500 })
    await replicated()
    t.match(await idle.stats(queueName), { ready: 0 })

    // When the master changes while the backlog is worked off and more is sent,
    const busy = open({ namespace: sender.namespace })
    const worker = consumeAll(busy)
    t.teardown(() => worker.close())
    await untilOver(failOver(), () => sender.enqueue(note('meanwhile')))

    // One for commands, and one per namespace for idle workers.
    await until(
      async () => (await connections(second, connectionName)) === 3,
      'all connections to move to the new master',
    )
    t.match(await first.role(), ['master'], 'the old one is still a master')
    t.equal(await connections(first, connectionName), 0)

    // Then nothing that the replica had is missing,
    const names = [...notes(500).map(({ args }) => args[0]), 'delayed']
    await until(() => names.every((name) => worker.seen.includes(name)), 'the earlier messages')
    t.ok(count(worker, 'urgent') >= 20)
    // and both workers continue.
    await idle.enqueue(note('after'))
    await until(() => idleWorker.seen.includes('after'), 'the idle worker')
    await sender.enqueueMany(notes(50).map((message) => message.with({ args: ['later'] })))
    await until(() => count(worker, 'later') === 50, 'the busy worker')
    for (const broker of [idle, busy]) {
      await broker.join(queueName, { timeout: '10s' })
      t.equal(await second.exists(`${broker.namespace}:${queueName}.msgs`), 0)
    }
  })
})

// — Internal helpers ———————————————————————————————————————————————————————————————————————————————————————

/** Repeats something, whether it works or not, until a promise settles. */
async function untilOver(over: Promise<void>, work: () => Promise<unknown>): Promise<void> {
  let ended = false
  const ending = over.finally(() => {
    ended = true
  })
  while (!ended) {
    await work().catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await ending
}

function count({ seen }: { seen: unknown[] }, name: string): number {
  return seen.filter((one) => one === name).length
}

async function connections(redis: Redis, name: string): Promise<number> {
  return `${await redis.client('LIST')}`.split('\n').filter((line) => line.includes(`name=${name} `)).length
}
