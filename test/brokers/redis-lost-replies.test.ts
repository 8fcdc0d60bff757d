/** Calls that were executed although their reply was lost: nothing happens twice, and nothing is missed. */
import { randomUUID } from 'node:crypto'
import { t } from 'tap'
import { RedisBroker, RedisRateLimits } from '../../brokers/redis/index.js'
import { actor } from '../../lib/actor.js'
import { Worker } from '../../lib/worker/worker.js'
import { consume, inTime, nameOf, note, queueName, takeOne, until } from '../../testing/contract/brokers/exam.js'
import { captureLog } from '../support/log.js'
import { opener, openProxy } from '../support/redis-brokers.js'
import { DelayingProxy } from '../support/redis-delaying-proxy.js'
import { withRedis } from '../support/redis-server.js'

captureLog()

await withRedis((server) => {
  const open = opener(server.url)
  const redis = server.client()

  t.test('a send is stored once, though a worker has processed the message before the retry', async (t) => {
    const { proxy, url } = await openProxy(t, server)
    const broker = open(t, { url })
    await broker.enqueue(note('first'))
    const consumer = consume(open(t, { namespace: broker.namespace }))
    await consumer.ack(await takeOne(consumer), [])

    proxy.loseReplyTo('once')
    const sending = broker.enqueueMany([note('once'), note('later')], { delay: 1 })
    for (let count = 0; count < 2; count++) await consumer.ack(await takeOne(consumer), [])
    proxy.unblock()
    await inTime(sending, 'the send')

    t.match(await broker.stats(queueName), { ready: 0, delayed: 0, inFlight: 0 })
  })

  t.test('a send is stored once, though its first attempt arrives after the second', async (t) => {
    const proxy = new DelayingProxy(server.port)
    const broker = open(t, { url: await proxy.open(t) })
    await broker.enqueue(note('first'))
    const consumer = consume(open(t, { namespace: broker.namespace }))
    await consumer.ack(await takeOne(consumer), [])

    proxy.holdBack('once')
    await inTime(broker.enqueueMany([note('once'), note('later')], { delay: 1 }), 'the repetition')
    t.equal(proxy.held, 1)
    for (let count = 0; count < 2; count++) await consumer.ack(await takeOne(consumer), [])
    await proxy.deliver()

    t.match(await broker.stats(queueName), { ready: 0, delayed: 0, inFlight: 0 })
    const marks = await redis.keys(`${broker.namespace}:sent:*`)
    const lives = await Promise.all(marks.map((key) => redis.pttl(key)))
    t.ok(Math.max(...lives) > 600_000, 'the mark waits for what TCP may still deliver')
    t.ok(Math.min(...lives) <= 10_000, 'but that of a call that was answered at once does not')
  })

  t.test('the marks of calls with a reply do not stay for as long as enqueueTimeout', async (t) => {
    const proxy = new DelayingProxy(server.port)
    const broker = open(t, { url: await proxy.open(t), enqueueTimeout: '30d' })
    const lives = async (): Promise<number[]> => {
      const marks = await redis.keys(`${broker.namespace}:sent:*`)
      return Promise.all(marks.map((key) => redis.pttl(key)))
    }
    await broker.enqueue(note('first'))
    await until(async () => (await lives()).length === 0, 'the mark to go')

    proxy.holdBack('once')
    await inTime(broker.enqueue(note('once')), 'the repetition')
    await until(async () => (await lives()).every((life) => life <= 900_000), 'the mark of a repetition to be shorter')
    await proxy.deliver()

    t.match(await broker.stats(queueName), { ready: 2 })
    t.equal((await lives()).length, 1)
  })

  t.test('an actor does not run again when the reply to storing its result was lost', async (t) => {
    const { proxy, url } = await openProxy(t, server)
    const broker = new RedisBroker({ url, namespace: randomUUID() })
    t.teardown(() => broker.close())
    let runs = 0
    const charge = actor(() => ++runs, { broker, actorName: 'charge', storeResults: true, maxRetries: 0 })
    const worker = new Worker(broker, { threads: 0 })
    await worker.start()
    t.teardown(() => worker.stop())
    t.equal(await (await charge.send()).result(), 1)

    proxy.loseReplyTo(':traceback')
    const message = await charge.send()
    await until(() => proxy.lost === 1, 'the result to be stored')
    proxy.unblock()

    t.equal(await message.result(), 2)
    await broker.join('default', { timeout: '10s' })
    t.equal(runs, 2)
    t.match(await broker.stats('default'), { dead: 0 })
  })

  t.test('waiters at a barrier are notified, though the notification had to be retried', async (t) => {
    const { proxy, url } = await openProxy(t, server)
    const limits = new RedisRateLimits({ url })
    t.teardown(() => limits.close())
    const key = randomUUID()
    await limits.add(randomUUID(), 1, 1000)
    proxy.loseReplyTo(`event:${key}`)
    const telling = limits.notify(key, 60_000)
    await until(() => proxy.lost === 1, 'the reply to be lost')
    proxy.unblock()
    await t.resolves(inTime(telling, 'the end of it'))
  })

  for (const end of ['goes on', 'closes'] as const) {
    t.test(`messages fetched while their consumer was closed are requeued, though the process ${end}`, async (t) => {
      const { proxy, url } = await openProxy(t, server)
      const broker = open(t, { url, heartbeatTimeout: '4s' })
      const consumer = consume(broker)
      const other = broker.consume('another')
      await broker.enqueue(note('first'))
      await consumer.ack(await takeOne(consumer), [])
      await broker.enqueue(note('lost on the way'))
      proxy.loseReplyTo(broker.workerId, `${queueName}:begun`)

      await t.rejects(consumer.take(1))
      proxy.unblock()
      await consumer.close()
      if (end === 'closes') await broker.close()

      const delivery = await takeOne(consume(open(t, { namespace: broker.namespace })))
      t.equal(nameOf(delivery), 'lost on the way')
      t.equal(delivery.deliveryCount, 1, 'no delivery was counted as lost')
      await other.close()
    })
  }
})
