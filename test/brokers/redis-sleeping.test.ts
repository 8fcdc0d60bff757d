import type { Redis } from 'ioredis'
import { t } from 'tap'
import { consume, inTime, nameOf, note, queueName, takeOne, until } from '../../testing/contract/brokers/exam.js'
import { captureLog } from '../support/log.js'
import { opener, openProxy, sleeps } from '../support/redis-brokers.js'
import { withRedis } from '../support/redis-server.js'

captureLog()

await withRedis((server) => {
  const redis = server.client()
  const open = opener(server.url)

  t.test('a message arrives with the token that wakes its worker, without another call', async (t) => {
    const broker = open(t)
    const consumer = consume(broker)
    const counts: number[] = []
    for (let round = 0; round < 5; round++) {
      const waiting = takeOne(consumer)
      await until(() => sleeps(redis), 'the worker to sleep')
      const before = await scriptCalls(redis)
      await broker.enqueue(note(round))
      const delivery = await waiting
      counts.push((await scriptCalls(redis)) - before)
      await consumer.ack(delivery, [])
    }
    // One call to store it, and the pipelined one to fetch it. A poll may have run in between, but not every time.
    t.equal(Math.min(...counts), 2, `${counts}`)
  })

  t.test('a worker whose scripts Redis forgets while it sleeps fetches by itself', async (t) => {
    const broker = open(t)
    const waiting = takeOne(consume(broker))
    await until(() => sleeps(redis), 'the worker to sleep')
    await redis.script('FLUSH')
    await broker.enqueue(note('after'))
    t.equal(nameOf(await waiting), 'after')
  })

  t.test('messages of a pipelined fetch whose reply was lost are requeued, uncounted', async (t) => {
    const { proxy, url } = await openProxy(t, server)
    const broker = open(t, { url })
    const sender = open(t, { namespace: broker.namespace })
    proxy.loseReplyTo('blpop', '\r\nEVALSHA')
    const waiting = takeOne(consume(broker))
    await until(() => sleeps(redis), 'the worker to sleep')
    await sender.enqueue(note('lost on its way'))
    await until(() => proxy.lost === 1, 'the reply to be lost')
    t.equal(await redis.scard(`${broker.namespace}:__acks__.${broker.workerId}.${queueName}`), 1)
    proxy.unblock()
    const delivery = await waiting
    t.match([nameOf(delivery), delivery.deliveryCount], ['lost on its way', 1])
  })

  t.test('a sleeping consumer can be closed, though Redis no longer replies', async (t) => {
    const { proxy, url } = await openProxy(t, server)
    const consumer = consume(open(t, { url }))
    const waiting = consumer.take(1)
    await until(() => sleeps(redis), 'the worker to sleep')
    proxy.freeze()
    await consumer.close()
    t.same(await inTime(waiting, 'the sleep to end'), [])
  })

  t.test('messages fetched for a consumer that was closed go to another one', async (t) => {
    const broker = open(t)
    const first = broker.consume(queueName)
    const waiting = first.take(1)
    await until(() => sleeps(redis), 'the worker to sleep')
    const [deliveries] = await Promise.all([waiting, first.close(), broker.enqueue(note('late'))])
    const other = open(t, { namespace: broker.namespace })
    if (deliveries.length > 0) return t.equal(nameOf(deliveries[0] as (typeof deliveries)[0]), 'late')
    const delivery = await takeOne(consume(other))
    t.match([nameOf(delivery), delivery.deliveryCount], ['late', 1])
  })

  t.test('a due time that is set while a worker sleeps is kept, and so is an earlier one', async (t) => {
    const broker = open(t)
    const sender = open(t, { namespace: broker.namespace })
    await sender.enqueue(note('far'), { delay: 700 })
    const consumer = consume(broker)
    const waiting = takeOne(consumer)
    await until(() => sleeps(redis), 'the worker to sleep')
    const dueAt = Date.now() + 250
    await sender.enqueue(note('near'), { delay: 250 })
    const delivery = await waiting
    t.equal(nameOf(delivery), 'near')
    t.ok(Date.now() >= dueAt, 'not too early')
    await consumer.ack(delivery, [])
    t.equal(nameOf(await takeOne(consumer)), 'far')
  })
})

// — Internal helpers ———————————————————————————————————————————————————————————————————————————————————————

async function scriptCalls(redis: Redis): Promise<number> {
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0)
}
