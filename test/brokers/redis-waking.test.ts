/** How idle workers wait in Redis, what wakes them, and what that costs. */
import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { t } from 'tap'
import { RedisRateLimits, RedisResults } from '../../brokers/redis/index.js'
import { Message } from '../../lib/message.js'
import { consume, inTime, nameOf, note, queueName, takeOne, until } from '../../testing/contract/brokers/exam.js'
import { captureLog } from '../support/log.js'
import { opener, sleeps } from '../support/redis-brokers.js'
import { withRedis } from '../support/redis-server.js'

captureLog()

await withRedis((server) => {
  const { url } = server
  const redis = server.client()
  const open = opener(server.url)

  t.test('a send wakes a sleeping worker by a token, not by its poll', async (t) => {
    const broker = open(t)
    const consumer = consume(broker)
    const waits: number[] = []
    for (let round = 0; round < 5; round++) {
      const waiting = takeOne(consumer)
      await until(() => sleeps(redis), 'the worker to sleep')
      const sentAt = performance.now()
      await broker.enqueue(note(round))
      await waiting
      waits.push(performance.now() - sentAt)
    }
    // The poll would take half a second on average, so five fast ones can't be luck.
    t.ok(Math.min(...waits) < 300, `the quickest of ${waits.map(Math.round)} ms`)
  })

  t.test('messages without a token, as Python sends them, are found by the poll', async (t) => {
    const broker = open(t)
    const waiting = takeOne(consume(broker))
    await until(() => sleeps(redis), 'the worker to sleep')
    const id = randomUUID()
    const body = JSON.stringify(note('from Python', { redis_message_id: id }).toWire())
    await redis.hset(`${broker.namespace}:${queueName}.msgs`, id, body)
    await redis.rpush(`${broker.namespace}:${queueName}`, id)
    t.equal(nameOf(await waiting), 'from Python')
  })

  t.test('a shorter delay that is set while every worker sleeps does not wait for a longer one', async (t) => {
    const broker = open(t)
    const workers = [broker, open(t, { namespace: broker.namespace })]
    await broker.enqueue(note('far'), { delay: '1h' })
    const consumers = workers.map((worker) => consume(worker))
    const first = Promise.race(consumers.map(async (consumer) => (await consumer.take(1))[0]))
    await until(() => sleeps(redis), 'the workers to sleep')
    const sentAt = Date.now()
    await broker.enqueue(note('near'), { delay: 100 })
    const delivery = await inTime(first, 'the earlier one')
    t.equal(delivery && nameOf(delivery), 'near')
    t.ok(Date.now() - sentAt >= 99, 'not too early')
  })

  t.test('a worker of many queues sleeps on all of them, on one connection', async (t) => {
    const name = `many-${randomUUID()}`
    const broker = open(t, { redis: { connectionName: name } })
    const queues = Array.from({ length: 20 }, (_, index) => `queue${index}`)
    const seen: string[] = []
    const consumers = queues.map((queue) => broker.consume(queue))
    const running = consumers.map(async (consumer) => {
      for (;;) {
        const deliveries = await consumer.take(1)
        if (deliveries.length === 0) return
        for (const delivery of deliveries) {
          seen.push(delivery.queueName)
          await consumer.ack(delivery, [])
        }
      }
    })
    for (const queue of queues) await broker.enqueue(note('x', {}, queue))
    await until(() => seen.length === 20, 'one message of each queue')
    t.same([...seen].sort(), [...queues].sort())
    t.equal(await connections(redis, name), 2, 'one for commands and a blocking one')
    for (const consumer of consumers) await consumer.close()
    await Promise.all(running)
  })

  t.test('brokers, results and limits with the same settings share their connections', async (t) => {
    const name = `shared-${randomUUID()}`
    const settings = { url, redis: { connectionName: name } }
    const broker = open(t, settings)
    const results = new RedisResults(settings)
    const limits = new RedisRateLimits(settings)
    t.teardown(() => results.close())
    t.teardown(() => limits.close())
    await broker.enqueue(note(1))
    await takeOne(consume(broker))
    await limits.add(randomUUID(), 1, 1000)
    const messages = Array.from({ length: 1000 }, () => new Message({ queueName, actorName: 'a', args: [] }))
    const waiting = Promise.all(messages.map((message) => results.get(message, { timeout: '30s' })))
    await until(async () => (await subscriptions(redis, results)) === 1000, 'a thousand waits')
    t.ok((await connections(redis, name)) <= 2, 'a thousand waits need no connections of their own')
    await Promise.all(messages.map((message, index) => results.storeResult(message, index, 60_000)))
    t.same(
      await inTime(waiting, 'the results'),
      messages.map((_, index) => index),
    )
    await until(async () => (await subscriptions(redis, results)) === 0, 'the end of the waits')
  })

  t.test('results without a notification are found, also those of Python', async (t) => {
    const results = new RedisResults({ url })
    t.teardown(() => results.close())
    const message = new Message({ queueName, actorName: 'a', args: [] })
    const waiting = results.get(message, { timeout: '30s' })
    await until(async () => (await redis.pubsub('CHANNELS', `*${results.keyOf(message)}`)).length === 1, 'the wait')
    await redis.lpush(results.keyOf(message), '"quietly"')
    t.equal(await inTime(waiting, 'the result'), 'quietly')
  })

  t.test('a failure has its traceback, which is stored beside it', async (t) => {
    const results = new RedisResults({ url })
    t.teardown(() => results.close())
    const message = new Message({ queueName, actorName: 'a', args: [] })
    await results.storeFailure(message, { type: 'Error', message: 'x', traceback: 'Error: x\n  at y\n' }, 60_000)
    const error = await results.get(message).catch((error: unknown) => error)
    t.match(error, { type: 'Error', reason: 'x', traceback: 'Error: x\n  at y\n' })
  })

  for (const [count, queues] of [
    [1, 'one queue'],
    [10, 'ten queues'],
  ] as const) {
    t.test(`an idle process with ${queues} has two connections and makes few calls`, async (t) => {
      const name = `idle-${randomUUID()}`
      const broker = open(t, { redis: { connectionName: name } })
      const consumers = Array.from({ length: count }, (_, index) => broker.consume(`idle${index}`))
      const waiting = consumers.map((consumer) => consumer.take(1))
      const polls = async (): Promise<number> => (await calls(redis)).evalsha ?? 0
      // All of them sleep once a poll has run after the first fetch of each.
      let quiet = await polls()
      await until(async () => {
        const [before, now] = [quiet, await polls()]
        quiet = now
        return now === before && (await sleeps(redis))
      }, 'the worker to sleep')

      const before = await calls(redis)
      const startedAt = performance.now()
      await until(async () => (await polls()) >= (before.evalsha ?? 0) + 4, 'four polls')
      const minutes = (performance.now() - startedAt) / 60_000
      const after = await calls(redis)

      const asked = (command: string): number => ((after[command] ?? 0) - (before[command] ?? 0)) / minutes
      // Four polls and the pauses between them: 67 a minute. Twice that would mean two calls where one is enough.
      t.ok(asked('evalsha') < 120, `${asked('evalsha').toFixed(0)} script calls a minute`)
      t.ok(asked('blpop') < 60, `${asked('blpop').toFixed(0)} blocking calls a minute`)
      const others = Object.keys(after).filter((command) => asked(command) > 0)
      t.same(
        others.filter((command) => !['evalsha', 'blpop', 'info', 'zrange', 'exists'].includes(command)),
        [],
        'nothing else, but for what the script calls',
      )
      t.equal(await connections(redis, name), 2)
      for (const consumer of consumers) await consumer.close()
      await Promise.all(waiting)
    })
  }
})

// — Internal helpers ———————————————————————————————————————————————————————————————————————————————————————

/** The number of calls of each command. */
async function calls(redis: Redis): Promise<Record<string, number>> {
  const info = await redis.info('commandstats')
  return Object.fromEntries([...info.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)].map(([, name, n]) => [name, Number(n)]))
}

async function connections(redis: Redis, name: string): Promise<number> {
  return `${await redis.client('LIST')}`.split('\n').filter((line) => line.includes(`name=${name} `)).length
}

async function subscriptions(redis: Redis, { namespace }: RedisResults): Promise<number> {
  return (await redis.pubsub('CHANNELS', `${namespace}:*`)).length
}
