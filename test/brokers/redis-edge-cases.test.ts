/** Edge cases: closing while calls are in progress, clocks that differ, odd bodies, large numbers of messages. */
import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { t } from 'tap'
import { CommandConnection } from '../../brokers/redis/connection/command-connection.js'
import { RedisBroker, RedisResults } from '../../brokers/redis/index.js'
import { Results } from '../../middleware/results.js'
import {
  consume,
  inTime,
  nameOf,
  note,
  notes,
  queueName,
  take,
  takeOne,
  until,
} from '../../testing/contract/brokers/exam.js'
import { stepClock } from '../../testing/contract/step-clock.js'
import { captureLog } from '../support/log.js'
import { opener } from '../support/redis-brokers.js'
import { withRedis } from '../support/redis-server.js'

captureLog()

await withRedis((server) => {
  const { url } = server
  const redis = server.client()
  const open = opener(server.url)

  t.test('messages taken by a broker that closes in the meantime are recovered', async (t) => {
    const broker = open(t)
    const consumer = consume(broker)
    await broker.enqueue(note('first'))
    await consumer.ack(await takeOne(consumer), [])
    await broker.enqueueMany(notes(3))

    const taking = consumer.take(3).catch(() => [])
    await broker.close()
    await taking

    const { namespace } = broker
    const held = await redis.scard(`${namespace}:__acks__.${broker.workerId}.${queueName}`)
    const beat = await redis.zscore(`${namespace}:__heartbeats__`, broker.workerId)
    t.ok(held === 0 || beat !== null, `${held} unacked, heartbeat ${beat}`)
    if (beat !== null) await redis.zadd(`${namespace}:__heartbeats__`, '0', broker.workerId)
    t.equal((await take(consume(open(t, { namespace, heartbeatTimeout: 400 })), 3)).length, 3)
  })

  t.test('a broker that is closed finishes sends in progress first, however large', async (t) => {
    const broker = open(t)
    await broker.enqueue(note(0))
    await redis.call('CLIENT', 'PAUSE', '300', 'WRITE')
    const sending = broker.enqueueMany(notes(1000))
    sending.catch(() => {})
    await broker.close()
    await t.resolves(sending)
    t.match(await open(t, { namespace: broker.namespace }).stats(queueName), { ready: 1001 })
  })

  t.test('a take that waits for an unreachable Redis ends when its broker is closed', async (t) => {
    const broker = open(t, { url: 'redis://127.0.0.1:1' })
    const taking = broker
      .consume(queueName)
      .take(1)
      .catch(() => [])
    await new Promise(setImmediate)
    const closingAt = performance.now()
    await broker.close()
    t.same(await taking, [])
    t.ok(performance.now() - closingAt < 3000, 'before the timeout of the call')
  })

  t.test('a broker that closes also closes its blocking connection, though others share its settings', async (t) => {
    const settings = { redis: { connectionName: `namespaces-${randomUUID()}` } }
    const count = (): Promise<number> => connections(redis, settings.redis.connectionName)
    const stays = open(t, settings)
    const goes = open(t, settings)
    for (const broker of [stays, goes]) {
      await broker.enqueue(note('x'))
      const consumer = consume(broker)
      await consumer.ack(await takeOne(consumer), [])
      void consumer.take(1)
    }
    await until(async () => (await count()) === 3, 'one for commands, and a blocking one per namespace')
    await goes.close()
    await until(async () => (await count()) === 2, 'the connection of the other namespace to close')
  })

  t.test('a broker whose constructor throws holds no connection', async (t) => {
    const settings = { url, redis: { connectionName: `bad-${randomUUID()}` } }
    t.throws(() => new RedisBroker({ ...settings, heartbeatTimeout: 'soon' as '1s' }), { name: 'InvalidOption' })
    t.throws(() => new RedisBroker({ ...settings, enqueueTimeout: 'soon' as '1s' }), { name: 'InvalidOption' })
    t.throws(() => new RedisBroker({ ...settings, delayQueue: 'none' as 'native' }), { name: 'InvalidOption' })
    const broker = new RedisBroker({ ...settings, namespace: randomUUID() })
    await broker.enqueue(note(1))
    t.equal(await connections(redis, settings.redis.connectionName), 1)
    await broker.close()
    await until(async () => (await connections(redis, settings.redis.connectionName)) === 0, 'no connection')
  })

  t.test('a results backend that replaces the default one leaves no connection behind', async (t) => {
    const settings = { url, redis: { connectionName: `replaced-${randomUUID()}` } }
    const broker = new RedisBroker({ ...settings, namespace: randomUUID() })
    broker.use(new Results({ backend: new RedisResults(settings) }))
    await broker.enqueue(note(1))
    t.equal(await connections(redis, settings.redis.connectionName), 1)
    await broker.close()
    await until(async () => (await connections(redis, settings.redis.connectionName)) === 0, 'no connection')
  })

  t.test('however many messages are requeued in one turn, they keep their order', async (t) => {
    const broker = open(t)
    const consumer = consume(broker)
    await broker.enqueueMany(notes(1201))
    const deliveries = await take(consumer, 1200)
    await Promise.all(deliveries.map((delivery) => consumer.requeue(delivery)))
    const names = (await take(consumer, 1201)).map(nameOf)
    t.same(
      names,
      notes(1201).map(({ args }) => args[0]),
    )
  })

  t.test('lists sent in one turn go out in calls of a size that Redis accepts', async (t) => {
    const broker = open(t)
    await broker.enqueue(note('first'))
    const before = await scriptCalls(redis)
    await Promise.all(Array.from({ length: 10 }, () => broker.enqueueMany(notes(200))))
    t.ok((await scriptCalls(redis)) - before >= 10)
    t.match(await broker.stats(queueName), { ready: 2001 })
  })

  t.test('a machine whose clock is ahead takes nothing from living workers', async (t) => {
    const broker = open(t)
    await broker.enqueue(note('held'))
    const delivery = await takeOne(consume(broker))
    stepClock(t, 120_000)
    const ahead = open(t, { namespace: broker.namespace })
    await broker.enqueue(note('free'))

    const consumer = consume(ahead)
    t.equal(nameOf(await takeOne(consumer)), 'free')

    t.match(await broker.stats(queueName), { ready: 0, inFlight: 2 })
    t.equal(await redis.sismember(`${broker.namespace}:${queueName}:taken`, (delivery as { id?: string }).id ?? ''), 1)
  })

  t.test('a machine whose clock is behind keeps what it holds', async (t) => {
    const { now } = Date
    Date.now = () => now() - 120_000
    t.teardown(() => {
      Date.now = now
    })
    const behind = open(t, { heartbeatTimeout: '2s' })
    const beat = (): Promise<unknown> => redis.zscore(`${behind.namespace}:__heartbeats__`, behind.workerId)
    await behind.enqueue(note('held'))
    await takeOne(consume(behind))
    const first = await beat()
    await until(async () => (await beat()) !== first, 'its heartbeat')
    const broker = open(t, { namespace: behind.namespace, heartbeatTimeout: '2s' })
    Date.now = now
    await broker.enqueue(note('free'))

    t.equal(nameOf(await takeOne(consume(broker))), 'free')

    t.match(await broker.stats(queueName), { ready: 0, inFlight: 2 })
  })

  t.test('a body with two "options", the second with an eta, does no harm to the process', async (t) => {
    const broker = open(t)
    const consumer = consume(broker)
    const id = randomUUID()
    const { options: _, ...rest } = note('odd').toWire()
    const body = `{"options":7,${JSON.stringify(rest).slice(1, -1)},"options":{"eta":${Date.now() + 3_600_000}}}`
    await redis.hset(`${broker.namespace}:${queueName}.msgs`, id, body)
    await redis.rpush(`${broker.namespace}:${queueName}`, id)
    const delivery = await takeOne(consumer)
    t.equal(delivery.body, body, 'the worker decides about it')
    await consumer.deadLetter(delivery, { reason: 'odd' }, [])
  })

  t.test('all expired dead letters are deleted, however many', async (t) => {
    const broker = open(t)
    const name = `${broker.namespace}:${queueName}`
    const ids = Array.from({ length: 2500 }, (_, index) => `${index}`)
    await redis.zadd(`${name}.XQ`, ...ids.flatMap((id) => ['1000', id]), `${Date.now()}`, 'recent')
    await redis.hset(`${name}.XQ.msgs`, ...ids.flatMap((id) => [id, '{}']), 'recent', '{}')
    await broker.enqueue(note('x'))
    await takeOne(consume(broker))
    t.same(await redis.zrange(`${name}.XQ`, '0', '-1'), ['recent'])
    t.same(await redis.hkeys(`${name}.XQ.msgs`), ['recent'])
  })

  t.test('many dead processes that hold nothing cost a new worker only a few calls', async (t) => {
    const broker = open(t)
    const dead = Array.from({ length: 1200 }, (_, index) => [`${index}`, randomUUID()]).flat()
    await redis.zadd(`${broker.namespace}:__heartbeats__`, ...dead)
    await broker.enqueue(note('x'))
    const before = await scriptCalls(redis)
    await takeOne(consume(broker))
    t.ok((await scriptCalls(redis)) - before < 20)
  })

  t.test('a flush empties all priorities, wherever the messages are', async (t) => {
    const broker = open(t)
    const consumer = consume(broker)
    for (const broker_priority of [0, 3, 9]) await broker.enqueueMany(notes(2, { broker_priority }))
    const [held, dead] = await take(consumer, 2)
    if (!held || !dead) return t.fail('two were to be taken')
    await consumer.deadLetter(dead, { reason: 'bad' }, [])
    await broker.enqueue(note('later', { broker_priority: 5 }), { delay: '1h' })

    await broker.flush(queueName)

    t.same(await broker.stats(queueName), { ready: 0, delayed: 0, inFlight: 0, dead: 0 })
    await consumer.ack(held, [{ message: note('retry') }])
    t.same(await broker.stats(queueName), { ready: 0, delayed: 0, inFlight: 0, dead: 0 }, 'and it does not return')
    const left = await redis.keys(`${broker.namespace}:*`)
    t.same(
      left.filter((key) => !/heartbeats|:wake|:connection:|:sent:/.test(key)),
      [],
    )
    await broker.enqueue(note('next'))
    t.equal(nameOf(await takeOne(consumer)), 'next')
  })

  t.test('dead letters of the same time can be paged through while those seen are deleted', async (t) => {
    const broker = open(t)
    const name = `${broker.namespace}:${queueName}`
    const ids = Array.from({ length: 25 }, () => randomUUID())
    const time = Date.now()
    await redis.zadd(`${name}.XQ`, ...ids.flatMap((id) => [`${time}`, id]))
    await redis.hset(`${name}.XQ.msgs`, ...ids.flatMap((id) => [id, '{}']))
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await broker.deadLetters(queueName, { limit: 4, cursor })
      for (const { id } of page.letters) {
        seen.push(id.replace(`${queueName}:`, ''))
        if (seen.length % 3 > 0) await broker.deleteDeadLetter(id)
      }
      cursor = page.cursor
    } while (cursor !== undefined)
    t.same(seen, ids.sort())
  })

  t.test('two namespaces on one connection: each gets its own messages, idle or not', async (t) => {
    const settings = { redis: { connectionName: `two-${randomUUID()}` } }
    const brokers = [open(t, settings), open(t, settings)]
    const consumers = brokers.map((broker) => consume(broker))
    for (const round of [1, 2, 3]) {
      const waiting = consumers.map((consumer) => takeOne(consumer))
      await until(async () => /blocked_clients:2/.test(await redis.info('clients')), 'both to sleep')
      await Promise.all(brokers.map((broker, index) => broker.enqueue(note(`${index}.${round}`))))
      const deliveries = await inTime(Promise.all(waiting), 'one message each')
      t.same(deliveries.map(nameOf), [`0.${round}`, `1.${round}`])
      await Promise.all(deliveries.map((delivery, index) => consumers[index]?.ack(delivery, [])))
    }
  })

  t.test('timeouts of ioredis that are longer than a timer can be do not expire immediately', async (t) => {
    const month = 30 * 86_400_000
    const connection = new CommandConnection({ url, redis: { connectTimeout: month, commandTimeout: month } }, 'a test')
    t.teardown(() => connection.close())
    t.equal(await connection.call((client) => client.blpop(randomUUID(), 0.1)), null)
  })
})

// — Internal helpers ———————————————————————————————————————————————————————————————————————————————————————

async function connections(redis: Redis, name: string): Promise<number> {
  return `${await redis.client('LIST')}`.split('\n').filter((line) => line.includes(`name=${name} `)).length
}

async function scriptCalls(redis: Redis): Promise<number> {
  const info = await redis.info('commandstats')
  return [...info.matchAll(/cmdstat_(?:evalsha|eval):calls=(\d+)/g)].reduce((sum, [, calls]) => sum + Number(calls), 0)
}
