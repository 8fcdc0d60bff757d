/** Connections that were idle for long, and that a device on the way silently dropped. */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import { type Test, t } from 'tap'
import { CommandConnection } from '../../brokers/redis/connection/command-connection.js'
import { RedisBroker, RedisRateLimits } from '../../brokers/redis/index.js'
import { actor } from '../../lib/actor.js'
import { consume, nameOf, note, queueName, takeOne, until } from '../../testing/contract/brokers/exam.js'
import { stepClock } from '../../testing/contract/step-clock.js'
import { captureLog } from '../support/log.js'
import { opener, openProxy } from '../support/redis-brokers.js'
import type { FaultyProxy } from '../support/redis-faulty-proxy.js'
import { withRedis } from '../support/redis-server.js'

captureLog()
const notLinux = process.platform === 'linux' ? false : 'It looks into /proc.'

await withRedis((server) => {
  const redis = server.client()
  const open = opener(server.url)
  const count = { limit: 5, ttl: 60_000 }

  interface Idle {
    readonly broker: RedisBroker
    readonly limits: RedisRateLimits
    readonly proxy: FaultyProxy
    readonly letter: string
  }

  /** A service that has used Redis. */
  async function idle(t: Test): Promise<Idle> {
    const { proxy, url } = await openProxy(t, server)
    const broker = new RedisBroker({ url, namespace: randomUUID() })
    const limits = new RedisRateLimits({ url })
    t.teardown(() => Promise.all([broker.close(), limits.close()]))
    actor(() => {}, { broker, actorName: 'note', queueName, storeResults: true })
    await broker.enqueue(note('bad'))
    const consumer = consume(open(t, { namespace: broker.namespace }))
    await consumer.deadLetter(await takeOne(consumer), { reason: 'bad' }, [])
    const { letters } = await broker.deadLetters(queueName)
    return { broker, limits, proxy, letter: letters[0]?.id ?? '' }
  }

  /** Moves the clock forward by a minute, as on a machine that was suspended. */
  const passMinute = (t: Test): void => stepClock(t, 60_000)

  const uses: Record<string, (service: Idle) => Promise<unknown>> = {
    'a send': ({ broker }) => broker.enqueue(note('first')),
    'many sends': ({ broker }) => broker.enqueueMany([note(1), note(2)], { delay: '1h' }),
    stats: async ({ broker }) => t.match(await broker.stats(queueName), { dead: 1 }),
    'a result': ({ broker }) =>
      t.rejects(broker.results?.get(note('none'), { timeout: 0 }) ?? Promise.resolve(), { name: 'ResultMissing' }),
    'a limiter': async ({ limits }) => t.equal(await limits.incr(randomUUID(), 1, count.limit, count.ttl), true),
    'the first of a limiter': async ({ limits }) => t.equal(await limits.add(randomUUID(), 1, count.ttl), true),
    'a look at dead letters': async ({ broker }) => t.equal((await broker.deadLetters(queueName)).letters.length, 1),
    'a dead letter put back': async ({ broker, letter }) => t.equal(await broker.requeueDeadLetter(letter), true),
    'a flush': ({ broker }) => broker.flush(queueName),
  }
  t.test('each call succeeds without delay, though the idle connection was silently dropped', async (t) => {
    const services = await Promise.all(Object.entries(uses).map(async (use) => [...use, await idle(t)] as const))
    passMinute(t)
    const before = await accepted(redis)
    for (const [, , { proxy }] of services) proxy.freeze()
    await Promise.all(
      services.map(async ([what, use, service]) => {
        const startedAt = performance.now()
        await t.resolves(use(service), what)
        const took = performance.now() - startedAt
        t.ok(took < 4000, `${what}: ${Math.round(took)} ms, well within the 5 s of a call`)
      }),
    )
    t.equal((await accepted(redis)) - before, services.length, 'one new connection each')
  })

  t.test('a send in flight when the network falls silent succeeds in time, and is stored once', async (t) => {
    const { proxy, url } = await openProxy(t, server)
    const broker = open(t, { url })
    await broker.enqueue(note('first'))
    proxy.freeze()
    await t.resolves(broker.enqueue(note('second')))
    t.match(await broker.stats(queueName), { ready: 2 })
  })

  t.test('a worker that sleeps on a silently dropped connection takes new messages', async (t) => {
    const { proxy, url } = await openProxy(t, server)
    const broker = open(t, { url })
    const producer = open(t, { namespace: broker.namespace })
    const consumer = consume(broker)
    await producer.enqueue(note('first'))
    await consumer.ack(await takeOne(consumer), [])
    const waiting = takeOne(consumer)
    await until(async () => /blocked_clients:[1-9]/.test(await redis.info('clients')), 'the worker to sleep')
    proxy.freeze()
    await producer.enqueue(note('second'))
    t.equal(nameOf(await waiting), 'second')
  })

  t.test('the system checks an idle connection within half a minute', { skip: notLinux }, async (t) => {
    await open(t).enqueue(note('first'))
    const port = server.port.toString(16).toUpperCase().padStart(4, '0')
    // Remote address, state 01 (established), queues, timer 02 (keep-alive) and when it fires, in hundredths of a
    // second.
    const row = new RegExp(`0100007F:${port} 01 \\S+ 02:([0-9A-F]+)`, 'g')
    const timers = [...readFileSync('/proc/net/tcp', 'utf8').matchAll(row)].map(([, when]) => Number(`0x${when}`))
    t.ok(timers.some((when) => when <= 3000))
  })

  t.test('an idle connection that works is used immediately, in one round trip', async (t) => {
    const service = await idle(t)
    passMinute(t)
    const before = await accepted(redis)
    await service.broker.enqueue(note('first'))
    t.equal(await accepted(redis), before, 'no new connection')
  })

  t.test('the connection to a slow Redis is not dropped repeatedly, and nothing is stored twice', async (t) => {
    const { broker } = await idle(t)
    passMinute(t)
    const before = await accepted(redis)
    await redis.call('CLIENT', 'PAUSE', '2500', 'ALL')
    await broker.enqueue(note('slowly'))
    t.match(await broker.stats(queueName), { ready: 1 })
    t.ok((await accepted(redis)) - before <= 2, 'connections made in the meantime')
  })

  t.test('a clock that is set forward while connecting does not shorten the timeout of a call', async (t) => {
    const connection = new CommandConnection({ url: server.url }, 'a test', {
      check: async () => {
        stepClock(t, 3_600_000)
        return undefined
      },
    })
    t.teardown(() => connection.close())
    t.equal(await connection.call((client) => client.blpop(randomUUID(), 0.2)), null)
  })

  t.test('an idle connection is noticed although the clock was set back', async (t) => {
    const connection = new CommandConnection({ url: server.url }, 'a test')
    t.teardown(() => connection.close())
    await connection.call((client) => client.ping())
    const before = await accepted(redis)
    stepClock(t, -3_600_000)
    await redis.call('CLIENT', 'PAUSE', '2600', 'ALL')
    await t.rejects(
      connection.call((client) => client.ping(), { timeout: 2100, retried: true }),
      { name: 'ConnectionFailed' },
    )
    t.equal(await connection.call((client) => client.ping()), 'PONG')
    t.equal((await accepted(redis)) - before, 1, 'a new connection')
  })

  t.test('a call ends within its timeout, though nothing replies any more', async (t) => {
    const { proxy, url } = await openProxy(t, server)
    const broker = open(t, { url, enqueueTimeout: '1500ms' })
    await broker.enqueue(note('first'))
    passMinute(t)
    proxy.freeze()
    proxy.block()
    const startedAt = performance.now()
    await t.rejects(broker.enqueue(note('second')), { name: /ConnectionFailed|EnqueueTimeout/ })
    t.ok(performance.now() - startedAt < 4000)
  })
})

// — Internal helpers ———————————————————————————————————————————————————————————————————————————————————————

async function accepted(redis: Redis): Promise<number> {
  return Number(/total_connections_received:(\d+)/.exec(await redis.info('stats'))?.[1])
}
