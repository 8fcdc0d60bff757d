/** Ids of other producers: any bytes can identify a message in Redis, through its whole life. */
import { randomUUID } from 'node:crypto'
import { t } from 'tap'
import type { RedisBroker } from '../../brokers/redis/index.js'
import { actor } from '../../lib/actor.js'
import type { Delivery } from '../../lib/consumer.js'
import { Worker } from '../../lib/worker/worker.js'
import { consume, nameOf, note, queueName, take, until } from '../../testing/contract/brokers/exam.js'
import { captureLog } from '../support/log.js'
import { opener } from '../support/redis-brokers.js'
import { leaveToDeadWorker } from '../support/redis-dead-worker.js'
import { withRedis } from '../support/redis-server.js'

captureLog()

const ids: Record<string, string | Buffer> = {
  'one character that is two bytes': 'ä',
  '36 characters that are 37 bytes': `ä${'x'.repeat(35)}`,
  '36 bytes that are 18 characters': 'ä'.repeat(18),
  '72 characters': 'y'.repeat(72),
  'characters of four bytes': '😀😀',
  'no characters at all': '',
  'a NUL': 'a\0b',
  'colons and a newline': 'a:b:\nc',
  'very long': 'z'.repeat(300_000),
  'not valid UTF-8': Buffer.from([0xff, 0xfe, 0x61]),
  '36 bytes that are not valid UTF-8': Buffer.alloc(36, 0xe4),
  'another half of a character': Buffer.from([0xc3]),
  'how we show such an id': 'hex:fffe61',
  'the name of a property': '__proto__',
}

await withRedis((server) => {
  const redis = server.client()
  const open = opener(server.url)
  const names = Object.keys(ids)

  /** Stores messages as Python does, each between two with ordinary ids. */
  async function put({ namespace }: RedisBroker, { list = queueName, options = {} } = {}): Promise<string[]> {
    const all = names.flatMap((name) => [
      [`before ${name}`, randomUUID()] as const,
      [name, ids[name] as string | Buffer] as const,
      [`after ${name}`, randomUUID()] as const,
    ])
    for (const [name, id] of all) {
      const bodies = `${namespace}:${list.replace(/:\d$/, '')}.msgs`
      await redis.hset(bodies, id as string, JSON.stringify(note(name, options, list.replace(/:\d$/, '')).toWire()))
      await redis.rpush(`${namespace}:${list}`, id)
    }
    return all.map(([name]) => name)
  }

  /** The remaining keys of a queue, except tokens, which expire. */
  async function left({ namespace }: RedisBroker): Promise<string[]> {
    return (await redis.keys(`${namespace}:*`)).filter((key) => !/:wake|:sent:|:connection:|heartbeats/.test(key))
  }

  const sorted = (deliveries: readonly Delivery[]): unknown[] => deliveries.map(nameOf).sort()

  t.test('each runs once and is acknowledged, like the other messages of the batch', async (t) => {
    const broker = open(t, { heartbeatTimeout: 200 })
    const runs = new Map<unknown, number>()
    const run = (name: unknown): void => void runs.set(name, (runs.get(name) ?? 0) + 1)
    actor(run, { broker, actorName: 'note', queueName })
    const all = await put(broker)
    const worker = new Worker(broker, { threads: 0 })
    await worker.start()
    t.teardown(() => worker.stop())
    await until(async () => (await left(broker)).length === 0, 'all to be acknowledged')
    // Messages that were only held according to Redis would be requeued with one of the next heartbeats.
    const beat = (): Promise<unknown> => redis.zscore(`${broker.namespace}:__heartbeats__`, broker.workerId)
    for (let beats = 0, last = await beat(); beats < 4; beats++) {
      await until(async () => (await beat()) !== last, 'a heartbeat')
      last = await beat()
    }
    t.same([...runs.keys()].sort(), all.sort())
    t.same(
      [...runs.values()].filter((count) => count !== 1),
      [],
    )
  })

  for (const list of [`${queueName}:7`, `${queueName}.DQ`]) {
    t.test(`so are those on ${list.endsWith('DQ') ? "Python's delay queue" : 'the list of a priority'}`, async (t) => {
      const broker = open(t)
      const all = await put(broker, { list, options: list.endsWith('DQ') ? { eta: Date.now() + 50 } : {} })
      const consumer = consume(broker)
      const deliveries = await take(consumer, all.length)
      await Promise.all(deliveries.map((delivery) => consumer.ack(delivery, [])))
      t.same(sorted(deliveries), all.sort())
      t.same(await left(broker), [])
    })
  }

  t.test('each can be requeued, counted or not, and is redelivered', async (t) => {
    const broker = open(t)
    const all = await put(broker)
    const consumer = consume(broker)
    for (const how of [{}, { counted: true }, { counted: true, delay: 10 }]) {
      const deliveries = await take(consumer, all.length)
      for (const delivery of deliveries) if (delivery.deliveryCount > 1) await consumer.begin(delivery)
      await Promise.all(deliveries.map((delivery) => consumer.requeue(delivery, how)))
    }
    const deliveries = await take(consumer, all.length)
    t.same(sorted(deliveries), all.sort())
    t.ok(deliveries.every(({ deliveryCount }) => deliveryCount === 3))
    await Promise.all(deliveries.map((delivery) => consumer.ack(delivery, [{ message: note('next') }])))
    t.match(await broker.stats(queueName), { ready: all.length, inFlight: 0 })
  })

  t.test('each is recovered from a dead worker', async (t) => {
    const broker = open(t)
    const deadWorker = open(t, { namespace: broker.namespace })
    const all = await put(broker)
    await take(consume(deadWorker), all.length)
    await leaveToDeadWorker(redis, broker.namespace, deadWorker.workerId)
    const deliveries = await take(consume(open(t, { namespace: broker.namespace, heartbeatTimeout: 200 })), all.length)
    t.same(sorted(deliveries), all.sort())
    t.ok(deliveries.every(({ deliveryCount }) => deliveryCount === 2))
  })

  t.test('each stays unacked while messages whose fetch reply was lost are requeued', async (t) => {
    const broker = open(t, { heartbeatTimeout: 200 })
    const all = await put(broker)
    const consumer = consume(broker)
    await take(consumer, all.length)
    await redis.hset(
      `${broker.namespace}:${queueName}.msgs`,
      'lost in a reply',
      JSON.stringify(note('orphan').toWire()),
    )
    await redis.sadd(`${broker.namespace}:__acks__.${broker.workerId}.${queueName}`, 'lost in a reply')
    t.same((await take(consumer, 1)).map(nameOf), ['orphan'])
    t.match(await broker.stats(queueName), { ready: 0, inFlight: all.length + 1 })
  })

  t.test('each can be dead-lettered, read page by page, requeued and deleted', async (t) => {
    const broker = open(t)
    const all = await put(broker)
    const consumer = consume(broker)
    const deliveries = await take(consumer, all.length)
    for (const delivery of deliveries) await consumer.deadLetter(delivery, { reason: `${nameOf(delivery)}` }, [])
    // All of the same time, so that the order of pages depends on the ids.
    const letters = `${broker.namespace}:${queueName}.XQ`
    for (const id of await redis.zrangeBuffer(letters, '0', '-1')) await redis.zadd(letters, '4102444800000', id)
    const seen: { id: string; reason: string }[] = []
    let cursor: string | undefined
    do {
      const page = await broker.deadLetters(queueName, { limit: 1, cursor })
      seen.push(...page.letters)
      cursor = page.cursor
    } while (cursor !== undefined)
    t.same(seen.map(({ reason }) => reason).sort(), all.sort())
    t.equal(new Set(seen.map(({ id }) => id)).size, all.length, 'each has a name of its own')
    t.ok(
      seen.some(({ id }) => id === `${queueName}:ä`),
      'which is its id if that is text',
    )

    for (const [index, { id }] of seen.entries()) {
      t.equal(
        await (index % 2 ? broker.requeueDeadLetter(id) : broker.deleteDeadLetter(id)),
        true,
        JSON.stringify(id.slice(0, 99)),
      )
    }
    t.match(await broker.stats(queueName), { ready: Math.floor(all.length / 2), dead: 0, inFlight: 0 })
  })

  t.test('a body that is not valid UTF-8 is dead-lettered unchanged, from both queues', async (t) => {
    const broker = open(t)
    actor(() => {}, { broker, actorName: 'note', queueName })
    const broken = Buffer.concat([Buffer.from('{"args":["'), Buffer.from([0xe4]), Buffer.from('"]}')])
    for (const list of [queueName, `${queueName}.DQ`]) {
      await redis.hset(`${broker.namespace}:${list}.msgs`, `in ${list}`, broken)
      await redis.rpush(`${broker.namespace}:${list}`, `in ${list}`)
    }
    const worker = new Worker(broker, { threads: 0 })
    await worker.start()
    t.teardown(() => worker.stop())
    await until(async () => (await broker.stats(queueName)).dead === 2, 'both dead letters')
    for (const { body, reason } of (await broker.deadLetters(queueName)).letters) {
      t.same(body, broken)
      t.match(reason, /UTF-8|utf-8/)
    }
    const kept = await redis.hvalsBuffer(`${broker.namespace}:${queueName}.XQ.msgs`)
    t.ok(kept.every((body) => body.equals(broken)))
  })
})
