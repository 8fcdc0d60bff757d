/** Recovery of the messages of a worker that died, or seems to have died. */
import { randomUUID } from 'node:crypto'
import { type Test, t } from 'tap'
import type { RedisBroker } from '../../brokers/redis/index.js'
import { consume, nameOf, note, notes, queueName, take, takeOne, until } from '../../testing/contract/brokers/exam.js'
import { captureLog } from '../support/log.js'
import { opener } from '../support/redis-brokers.js'
import { withRedis } from '../support/redis-server.js'
import { type Child, startWorker } from '../support/redis-workers.js'

captureLog()

await withRedis((server) => {
  const redis = server.client()
  const open = opener(server.url)

  const worker = (t: Test, { namespace }: RedisBroker, heartbeatTimeout: number): Promise<Child> =>
    startWorker(t, { url: server.url, namespace, heartbeatTimeout })

  t.test('the unacked messages of a killed process go to sleeping workers, counted', async (t) => {
    const broker = open(t, { heartbeatTimeout: 400 })
    await broker.enqueueMany(notes(5))
    const { child, held } = await worker(t, broker, 400)
    t.same(held, { names: [1, 2, 3, 4, 5], counts: [1, 1, 1, 1, 1] })
    const waiting = take(consume(broker), 5)

    child.kill('SIGKILL')

    const deliveries = await waiting
    t.same(deliveries.map(nameOf).sort(), [1, 2, 3, 4, 5])
    t.same(
      deliveries.map(({ deliveryCount }) => deliveryCount),
      [2, 2, 2, 2, 2],
    )
  })

  t.test('a living process keeps its messages, however long it holds them', async (t) => {
    const broker = open(t, { heartbeatTimeout: 300 })
    await broker.enqueue(note('held'))
    await worker(t, broker, 300)
    const successor = open(t, { namespace: broker.namespace, heartbeatTimeout: 300 })
    const consumer = consume(successor)
    let taken = false
    const taking = consumer.take(1).then((deliveries) => {
      taken = deliveries.length > 0
    })
    const beats = new Set<unknown>()
    const [holder] = await redis.zrange(`${broker.namespace}:__heartbeats__`, '0', '0')
    await until(async () => {
      beats.add(await redis.zscore(`${broker.namespace}:__heartbeats__`, `${holder}`))
      return beats.size > 8
    }, 'eight heartbeats')
    t.equal(taken, false)
    await consumer.close()
    await taking
  })

  t.test('a process that was suspended and resumes settles nothing, and continues', async (t) => {
    const broker = open(t, { heartbeatTimeout: 400 })
    await broker.enqueue(note('fought over'))
    const { child, line } = await worker(t, broker, 400)
    child.kill('SIGSTOP')
    const consumer = consume(broker)
    const delivery = await takeOne(consumer)
    t.equal(delivery.deliveryCount, 2)

    child.kill('SIGCONT')
    child.stdin?.write('settle\n')
    t.equal(await line(), 'settled')

    t.match(await broker.stats(queueName), { ready: 0, inFlight: 1 }, 'nothing was sent, and it is still unacked here')
    await consumer.ack(delivery, [])
    t.match(await broker.stats(queueName), { ready: 0, inFlight: 0 })
    await until(async () => (await redis.zcard(`${broker.namespace}:__heartbeats__`)) === 2, 'its heartbeat again')
  })

  t.test('messages of our dead worker that Python recovered are counted, too', async (t) => {
    const broker = open(t)
    const deadWorker = open(t, { namespace: broker.namespace })
    await broker.enqueueMany(notes(2))
    const consumer = deadWorker.consume(queueName)
    await take(consumer, 2)
    // Dramatiq's maintenance requeues the ids at the tail and deletes the ack set.
    const acks = `${broker.namespace}:__acks__.${deadWorker.workerId}.${queueName}`
    const ids = await redis.smembers(acks)
    await redis
      .multi()
      .rpush(`${broker.namespace}:${queueName}`, ...ids)
      .del(acks)
      .exec()

    const successor = consume(broker)
    const deliveries = await take(successor, 2)
    t.same(
      deliveries.map(({ deliveryCount }) => deliveryCount),
      [2, 2],
    )
    for (const delivery of deliveries) await successor.ack(delivery, [])
    t.same(
      (await redis.keys(`${broker.namespace}:*`)).filter(
        (key) => !/heartbeats|acks|:wake|:connection:|:sent:/.test(key),
      ),
      [],
    )
  })

  t.test('the messages of a dead Python worker are recovered, from the queue and from its delay queue', async (t) => {
    const broker = open(t, { heartbeatTimeout: 400 })
    const { namespace } = broker
    const python = randomUUID()
    const body = (id: string, name: string, queue: string, options = {}): string =>
      JSON.stringify({ ...note(name, { redis_message_id: id, ...options }, queue).toWire() })
    const [one, two] = [randomUUID(), randomUUID()]
    await redis.zadd(`${namespace}:__heartbeats__`, Date.now() - 61_000, python)
    await redis.hset(`${namespace}:${queueName}.msgs`, one, body(one, 'running', queueName))
    await redis.sadd(`${namespace}:__acks__.${python}.${queueName}`, one, 'an id without a body')
    await redis.hset(
      `${namespace}:${queueName}.DQ.msgs`,
      two,
      body(two, 'delayed', `${queueName}.DQ`, { eta: Date.now() }),
    )
    await redis.sadd(`${namespace}:__acks__.${python}.${queueName}.DQ`, two)

    const deliveries = await take(consume(broker), 2)

    t.same(deliveries.map(nameOf).sort(), ['delayed', 'running'])
    t.same(deliveries.find((delivery) => nameOf(delivery) === 'running')?.deliveryCount, 2)
    t.equal(await redis.exists(`${namespace}:__acks__.${python}.${queueName}`), 0)
  })

  t.test('messages of a fetch whose reply was lost are requeued, uncounted', async (t) => {
    const broker = open(t, { heartbeatTimeout: 400 })
    await broker.enqueue(note('orphan'))
    const consumer = consume(broker)
    t.equal(nameOf(await takeOne(consumer)), 'orphan')
    // As if a fetch had taken another one, and its reply had been lost.
    await broker.enqueue(note('lost in a reply'))
    const id = (await redis.lpop(`${broker.namespace}:${queueName}`)) as string
    await redis.sadd(`${broker.namespace}:__acks__.${broker.workerId}.${queueName}`, id)

    const delivery = await takeOne(consumer)

    t.equal(nameOf(delivery), 'lost in a reply')
    t.equal(delivery.deliveryCount, 1)
    t.match(await broker.stats(queueName), { ready: 0, inFlight: 2 })
  })

  t.test('a worker that reconnects compares its unacked messages with Redis, also while it sleeps', async (t) => {
    const broker = open(t)
    const consumer = consume(broker)
    await broker.enqueue(note('first'))
    await consumer.ack(await takeOne(consumer), [])
    const waiting = takeOne(consumer)
    await until(async () => /blocked_clients:1/.test(await redis.info('clients')), 'the worker to sleep')
    // As after a failover: the new master does not have the settlement.
    const id = randomUUID()
    await redis.hset(`${broker.namespace}:${queueName}.msgs`, id, JSON.stringify(note('again').toWire()))
    await redis.sadd(`${broker.namespace}:__acks__.${broker.workerId}.${queueName}`, id)

    const lostAt = performance.now()
    await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')

    t.equal(nameOf(await waiting), 'again')
    t.ok(performance.now() - lostAt < 7000, 'without waiting for the next heartbeat')
  })

  t.test('a worker that stops normally leaves no keys behind', async (t) => {
    const broker = open(t)
    await broker.enqueue(note('done'))
    const consumer = consume(broker)
    await consumer.ack(await takeOne(consumer), [])
    await consumer.close()
    await broker.close()
    // Wake-up tokens and marks of sends expire by themselves.
    t.same(
      (await redis.keys(`${broker.namespace}:*`)).filter((key) => !/:wake|:sent:/.test(key)),
      [],
    )
    for (const key of await redis.keys(`${broker.namespace}:*`)) t.ok((await redis.pttl(key)) > 0, key)
  })
})
