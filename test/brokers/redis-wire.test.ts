/**
 * Dramatiq's keys, byte for byte, in both directions: what we write equals what was captured, and what was captured
 * can be read. Keys of ours, which all have a colon after the queue's name, are left out of the comparison.
 */
import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { type Test, t } from 'tap'
import { RedisBroker, type RedisBrokerOptions, RedisRateLimits, RedisResults } from '../../brokers/redis/index.js'
import type { Consumer, Delivery } from '../../lib/consumer.js'
import { Message } from '../../lib/message.js'
import { Barrier, BucketRateLimiter, ConcurrentRateLimiter, WindowRateLimiter } from '../../lib/rate-limits/index.js'
import { take, takeOne, until } from '../../testing/contract/brokers/exam.js'
import { captureLog } from '../support/log.js'
import { withRedis } from '../support/redis-server.js'
import { readVectors } from '../vectors.js'

captureLog()

interface Key {
  type: string
  pttl: number
  value: unknown
}
type Snapshot = Record<string, Key>

await withRedis((server) => {
  const redis = server.client()
  const { url } = server
  const open = (t: Test, namespace = 'dramatiq', options: RedisBrokerOptions = {}): RedisBroker => {
    const broker = new RedisBroker({ url, namespace, middleware: [], ...options })
    t.teardown(() => broker.close())
    return broker
  }
  t.beforeEach(() => redis.flushdb() as unknown as Promise<void>)

  // — The life of a message ——————————————————————————————————————————————————————————————————————————————

  const lifecycle = readVectors<{ name: string; redis_after: Snapshot; redis_before?: Snapshot }>(
    'redis-queue-lifecycle',
  )
  const after = (name: string): Snapshot => {
    const found = lifecycle.cases.find((vector) => vector.name === name)
    if (!found) throw new Error(`There is no case ${name}.`)
    return found.redis_after
  }
  /** A consumer that holds one of two messages, as in the vectors. */
  const begin = async (broker: RedisBroker): Promise<{ consumer: Consumer; deliveries: Delivery[] }> => {
    await broker.enqueueMany([message(1), message(2)])
    const consumer = broker.consume('default', { prefetch: 5 })
    return { consumer, deliveries: await take(consumer, 2) }
  }
  const steps: Record<string, (broker: RedisBroker) => Promise<unknown>> = {
    enqueue: (broker) => broker.enqueue(message(1)),
    fetch: begin,
    ack: async (broker) => {
      const { consumer, deliveries } = await begin(broker)
      await consumer.ack(deliveries[0] as Delivery, [])
    },
    nack: async (broker) => {
      const { consumer, deliveries } = await begin(broker)
      await consumer.ack(deliveries[0] as Delivery, [])
      await consumer.deadLetter(deliveries[1] as Delivery, { reason: 'bad' }, [])
    },
    requeue: async (broker) => {
      const { consumer, deliveries } = await begin(broker)
      await consumer.deadLetter(deliveries[0] as Delivery, { reason: 'bad' }, [])
      await consumer.requeue(deliveries[1] as Delivery)
    },
    purge: async (broker) => {
      await begin(broker)
      await broker.flush('default')
    },
  }
  for (const [name, step] of Object.entries(steps)) {
    t.test(`lifecycle: ${name}`, async (t) => {
      await step(open(t))
      t.same(shape(await snapshot(redis)), shape(after(name)))
    })
  }

  t.test('lifecycle: maintenance', async (t) => {
    const { redis_before = {} } = lifecycle.cases.find(({ name }) => name === 'maintenance') ?? {}
    await restore(redis, redis_before)
    const broker = open(t, 'dramatiq', { heartbeatTimeout: 200 })
    const consumer = broker.consume('default')
    const [ready] = Object.keys(redis_before['dramatiq:default.msgs']?.value as object)
    const delivery = await takeOne(consumer)
    await consumer.requeue(delivery)
    const now = await snapshot(redis)
    t.same(now['dramatiq:default']?.value, [ready])
    t.notOk(now['dramatiq:default.XQ'], 'the old dead letter was deleted')
    t.notOk(Object.keys(now).some((key) => key.includes('__acks__.dead')))
  })

  t.test('lifecycle: namespace', async (t) => {
    const broker = open(t, 'acme')
    await broker.enqueue(message(1, { queueName: 'q' }))
    await takeOne(broker.consume('q'))
    t.same(shape(await snapshot(redis)), shape(after('namespace')))
  })

  // — Messages ———————————————————————————————————————————————————————————————————————————————————————————

  interface Encoded {
    name: string
    message: { raw: string; json?: Record<string, unknown> }
    redis: Snapshot
  }
  const encoding = readVectors<Encoded>('redis-message-encoding').cases
  for (const { name, message: captured, redis: keys } of encoding) {
    const { raw, json } = captured
    t.test(`a message captured from Python is taken as it is: ${name}`, async (t) => {
      await restore(redis, keys, raw)
      const broker = open(t)
      const queueName = (json?.queue_name as string | undefined) ?? 'default'
      const consumer = broker.consume(queueName.replace(/\.DQ$/, ''))
      const delivery = await takeOne(consumer)
      const canonical = raw.replace(/"queue_name":"([^"]+)\.DQ"/, '"queue_name":"$1"').replace(/,"eta":\d+/, '')
      t.same(anonymous(delivery.body as string), anonymous(canonical))
      await consumer.ack(delivery, [])
      t.match(await broker.stats(queueName), { ready: 0, delayed: 0, inFlight: 0 })
    })

    if (!json || name.startsWith('delay')) continue
    t.test(`a message of ours reads as one of Python's: ${name}`, async (t) => {
      const broker = open(t)
      const { redis_message_id: _, ...options } = json.options as Record<string, unknown>
      await broker.enqueue(Message.fromWire({ ...json, options }))
      const key = Object.keys(keys).find((key) => key.endsWith('.msgs')) as string
      const [[id, body]] = Object.entries(await redis.hgetall(key)) as [[string, string]]
      const ours = JSON.parse(body) as Record<string, unknown>
      t.same(ours, { ...json, options: { ...options, redis_message_id: id } })
      t.same(Object.keys(ours), Object.keys(json), 'the fields in the same order')
      t.same(await redis.lrange(key.replace('.msgs', ''), 0, -1), [id])
      t.same(shape(await snapshot(redis)), shape(keys))
    })
  }

  t.test("delayQueue: 'dramatiq' delays as Python does", async (t) => {
    const { json, keys } = encoding
      .filter(({ name }) => name === 'delay')
      .map(({ message, redis }) => ({ json: message.json as Record<string, unknown>, keys: redis }))[0] as {
      json: Record<string, unknown>
      keys: Snapshot
    }
    const broker = new RedisBroker({ url, middleware: [], delayQueue: 'dramatiq' })
    t.teardown(() => broker.close())
    const before = Date.now()
    await broker.enqueue(message(1), { delay: '1m' })
    t.same(shape(await snapshot(redis)), shape(keys))
    const [body] = Object.values(await redis.hgetall('dramatiq:default.DQ.msgs'))
    const ours = JSON.parse(body as string) as typeof json
    t.same(Object.keys(ours), Object.keys(json))
    t.same(Object.keys(ours.options as object), Object.keys(json.options as object))
    t.equal(ours.queue_name, 'default.DQ')
    const { eta } = ours.options as { eta: number }
    t.ok(eta >= before + 60_000 && eta <= Date.now() + 60_000)
  })

  // — Delays —————————————————————————————————————————————————————————————————————————————————————————————

  interface Delayed {
    name: string
    put_into?: string
    message: { options: { eta?: unknown; redis_message_id: string }; queue_name: string }
  }
  for (const vector of readVectors<Delayed>('redis-delayed').cases) {
    const { name, put_into: list, message: captured } = vector
    if (list === undefined) continue
    t.test(`what Python delayed is run at its time: ${name}`, async (t) => {
      const { eta, redis_message_id: id } = captured.options
      const later = typeof eta === 'number' && name !== 'past_eta'
      const due = Date.now() + 150
      const options = { ...captured.options, ...(later ? { eta: Number.isInteger(eta) ? due : due + 0.5 } : {}) }
      const body = JSON.stringify({ ...captured, options }).replace('"args":[1]', '"args":[12345678901234567890, 1.0]')
      await redis.hset(`${list}.msgs`, id, body)
      await redis.rpush(list, id)
      const broker = open(t)
      const consumer = broker.consume('default')

      const delivery = await takeOne(consumer)

      if (later) t.ok(Date.now() >= due - 1, 'not too early')
      const text = delivery.body as string
      t.match(text, '"args":[12345678901234567890, 1.0]', 'numbers that JavaScript has not pass through')
      const { queueName, options: rest } = Message.decode(text)
      t.equal(queueName, 'default')
      if (later) t.equal(rest.eta, undefined)
      const [heldId] = await redis.smembers(`dramatiq:__acks__.${broker.workerId}.default`)
      t.equal(rest.redis_message_id, heldId, 'the id in the options is the id in Redis')
      if (later) t.not(heldId, id, 'and a new one')
      await consumer.ack(delivery, [])
      t.same(shape(await snapshot(redis)), [])
    })
  }

  t.test('what can not be read in the delay queue is dead-lettered, and stops nothing', async (t) => {
    const id = randomUUID()
    await redis.hset('dramatiq:default.DQ.msgs', id, 'not JSON')
    await redis.rpush('dramatiq:default.DQ', 'an id without a body', id)
    const broker = open(t)
    await broker.enqueue(message('fine'))
    const consumer = broker.consume('default')
    await consumer.ack(await takeOne(consumer), [])
    await until(async () => (await broker.stats('default')).dead === 1, 'the dead letter')
    const { letters } = await broker.deadLetters('default')
    t.match(letters[0], { id: `default:${id}`, body: 'not JSON', reason: /not a message/ })
    t.match(await broker.stats('default'), { ready: 0, delayed: 0, inFlight: 0 })
  })

  // — Results ————————————————————————————————————————————————————————————————————————————————————————————

  interface Result {
    name: string
    message?: { queue_name: string; actor_name: string; message_id: string }
    key?: string
    redis?: Snapshot
    get_result?: unknown
    get_result_raised?: { orig_exc_type?: string; orig_exc_msg?: string }
  }
  for (const vector of readVectors<Result>('redis-results').cases) {
    const { name, message: which, key, redis: keys } = vector
    const stored = key && (keys?.[key]?.value as string[] | undefined)?.[0]
    if (!which || !key || stored === undefined || name === 'namespace') continue
    t.test(`results: ${name}`, async (t) => {
      const results = new RedisResults({ url })
      t.teardown(() => results.close())
      const { queue_name: queueName, actor_name: actorName, message_id: messageId } = which
      const subject = new Message({ queueName, actorName, messageId, args: [] })

      await redis.lpush(key as string, stored as string)
      const read = await results.get(subject, { timeout: 0 }).catch((error: unknown) => error)
      const { orig_exc_type: type, orig_exc_msg: text } = vector.get_result_raised ?? {}
      if (type === undefined) t.same(read, vector.get_result)
      else t.match(read, { type, reason: text })

      await redis.flushdb()
      if (type === undefined) await results.storeResult(subject, vector.get_result, 600_000)
      else await results.storeFailure(subject, { type, message: `${text}` }, 600_000)
      t.same(shape(await snapshot(redis)), [`${key} list 1`])
      t.same(JSON.parse((await redis.lindex(key as string, 0)) as string), JSON.parse(stored as string))
      const ttl = await redis.pttl(key as string)
      t.ok(ttl > 0 && ttl <= 600_000)
    })
  }

  // — Rate limits ————————————————————————————————————————————————————————————————————————————————————————

  t.test('rate limiters leave the keys that Python leaves', async (t) => {
    const backend = new RedisRateLimits({ url })
    t.teardown(() => backend.close())
    const mutex = new ConcurrentRateLimiter(backend, 'mutex', { limit: 1, ttl: 900_000 })
    await mutex.acquire(async () => {
      t.equal(await redis.get('mutex'), '1')
    })
    t.equal(await redis.get('mutex'), '0')

    const bucket = new BucketRateLimiter(backend, 'bucket', { limit: 5, bucket: 60_000 })
    await bucket.acquire(async () => {})
    const [bucketKey] = await redis.keys('bucket@*')
    t.match(bucketKey, /^bucket@\d+0000$/)
    t.equal(await redis.get(bucketKey as string), '1')

    const window = new WindowRateLimiter(backend, 'win', { limit: 5, window: '3s' })
    await window.acquire(async () => {})
    const [windowKey] = await redis.keys('win@*')
    t.match(windowKey, /^win@\d{10}$/)
    t.equal(await redis.get(windowKey as string), '1')
    const ttl = await redis.pttl(windowKey as string)
    t.ok(ttl > 0 && ttl <= 3000)

    const barrier = new Barrier(backend, 'barrier-1')
    t.equal(await barrier.create(2), true)
    t.equal(await redis.get('barrier-1'), '2')
    t.equal(await barrier.wait({ block: false }), false)
    t.equal(await redis.get('barrier-1'), '1')
    t.equal(await barrier.wait({ block: false }), true)
    t.equal(await redis.get('barrier-1'), '1')
    t.same(await redis.lrange('barrier-1@events', 0, -1), ['x'])
  })
})

// — Internal helpers ———————————————————————————————————————————————————————————————————————————————————————

function message(name: unknown, fields = {}): Message {
  return new Message({ queueName: 'default', actorName: 'add', args: [name, 2], ...fields })
}

async function snapshot(redis: Redis): Promise<Snapshot> {
  const found: Snapshot = {}
  for (const key of (await redis.keys('*')).filter(
    (key) => !/^(dramatiq|acme):[^:]+:/.test(key) && !key.includes(':wake'),
  )) {
    const type = await redis.type(key)
    const read: Record<string, () => Promise<unknown>> = {
      list: () => redis.lrange(key, 0, -1),
      set: () => redis.smembers(key),
      hash: () => redis.hgetall(key),
      zset: () => redis.zrange(key, '0', '-1'),
      string: () => redis.get(key),
    }
    found[key] = { type, pttl: await redis.pttl(key), value: await read[type]?.() }
  }
  return found
}

/**
 * What two snapshots must have in common: the keys, their types, and how much is in them. Without the heartbeats,
 * where Python has its producers, too.
 */
function shape(keys: Snapshot): string[] {
  return Object.entries(keys)
    .filter(([key]) => !key.endsWith(':__heartbeats__'))
    .map(([key, { type, value }]) => {
      const size = typeof value === 'object' && value !== null ? Object.keys(value).length : 1
      return `${key.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, '<worker>')} ${type} ${size}`
    })
    .sort()
}

async function restore(redis: Redis, keys: Snapshot, body = '<message json>'): Promise<void> {
  for (const [key, { type, value }] of Object.entries(keys)) {
    if (type === 'list') await redis.rpush(key, ...(value as string[]))
    if (type === 'set') await redis.sadd(key, ...(value as string[]))
    if (type === 'hash') for (const id of Object.keys(value as object)) await redis.hset(key, id, body)
    if (type === 'zset')
      for (const [member, score] of Object.entries(value as object)) await redis.zadd(key, Number(score), member)
  }
}

/** A body without the ids that are new with every enqueue. */
function anonymous(body: string): string {
  return body.replace(/"redis_message_id":"[^"]+"/, '"redis_message_id":"…"')
}
