/** Failures of Redis and of the network, after which workers consume again. */
import { randomUUID } from 'node:crypto'
import { t } from 'tap'
import { RedisBroker, type RedisBrokerOptions, RedisRateLimits } from '../../brokers/redis/index.js'
import { actor } from '../../lib/actor.js'
import { BrokerError, BrokerUnusable, ConnectionFailed, EnqueueTimeout } from '../../lib/errors.js'
import { Barrier, ConcurrentRateLimiter } from '../../lib/rate-limits/index.js'
import { Worker } from '../../lib/worker/worker.js'
import { inTime, nameOf, note, notes, queueName, takeOne, until } from '../../testing/contract/brokers/exam.js'
import { captureLog } from '../support/log.js'
import { Child } from '../support/processes.js'
import { consumeAll } from '../support/redis-consume.js'
import { FaultyProxy } from '../support/redis-faulty-proxy.js'
import { withRedis } from '../support/redis-server.js'

const log = captureLog()

await withRedis((server) => {
  const open = (options: RedisBrokerOptions = {}): RedisBroker =>
    new RedisBroker({ url: server.url, namespace: randomUUID(), middleware: [], ...options })

  /** Breaks something while a worker sleeps and while it is busy, and checks that it consumes again. */
  function survives(what: string, breakIt: () => Promise<void>): void {
    t.test(`a worker survives ${what}`, async (t) => {
      const broker = open()
      const worker = consumeAll(broker)
      t.teardown(() => worker.close())
      await broker.enqueue(note('before'))
      await until(() => worker.seen.includes('before'), 'the first message')

      await breakIt()

      await broker.enqueue(note('after'))
      await until(() => worker.seen.includes('after'), 'the message after')
      await broker.enqueueMany(notes(500))
      await until(() => worker.seen.length >= 502, 'all of them')
      await broker.join(queueName, { timeout: '10s' })
      t.equal(new Set(worker.seen).size, 502)
    })
  }

  const admin = server.client()
  survives('a CLIENT KILL of every connection', async () => {
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  })
  survives('a flushed script cache', async () => {
    await admin.script('FLUSH')
  })
  survives('a CLIENT PAUSE', async () => {
    await admin.call('CLIENT', 'PAUSE', '300')
  })
  survives('a restart of the server', async () => {
    await server.stop({ save: true })
    await server.start()
  })
  survives('a master that is a replica for a while', async () => {
    await admin.call('REPLICAOF', '127.0.0.1', '1')
    setTimeout(() => void admin.call('REPLICAOF', 'NO', 'ONE'), 300)
  })

  t.test('connections killed under load lose nothing and settle nothing twice', async (t) => {
    const broker = open()
    const worker = consumeAll(broker)
    t.teardown(() => worker.close())
    const messages = notes(2000)
    const kill = (): void => void admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes').catch(() => {})
    const killing = setInterval(kill, 25)
    try {
      for (let at = 0; at < messages.length; at += 50) await broker.enqueueMany(messages.slice(at, at + 50))
    } finally {
      clearInterval(killing)
    }
    await until(() => new Set(worker.seen).size === 2000, 'every message')
    await broker.join(queueName, { timeout: '10s' })
    t.equal(new Set(worker.seen).size, 2000)
  })

  t.test('a connection whose network falls silent is replaced', async (t) => {
    const proxy = new FaultyProxy(server.port)
    const url = await proxy.listen()
    const broker = open({ url })
    const worker = consumeAll(broker)
    t.teardown(async () => {
      await worker.close()
      proxy.close()
    })
    await broker.enqueue(note('before'))
    await until(() => worker.seen.includes('before'), 'the first message')

    proxy.freeze()

    await t.resolves(broker.enqueue(note('in the silence')))
    await until(() => worker.seen.includes('in the silence'), 'the message over another connection')
    t.equal(worker.seen.length, 2)
  })

  t.test('a send while Redis is unreachable rejects in time; the next one, after its return, is stored', async (t) => {
    const broker = open({ enqueueTimeout: 300 })
    t.teardown(() => broker.close())
    await broker.enqueue(note('before'))
    await server.stop({ save: true })
    // The first may have been in flight when Redis stopped: then it is unknown whether it was stored.
    const first = await inTime(broker.enqueue(note('nowhere')), 'the rejection').catch((error: unknown) => error)
    t.ok(first instanceof BrokerError)
    await t.rejects(inTime(broker.enqueueMany(notes(300)), 'the rejection'), EnqueueTimeout)
    await server.start()
    await until(
      () =>
        broker.enqueue(note('after')).then(
          () => true,
          () => false,
        ),
      'a send that is stored',
    )
    t.match(await broker.stats(queueName), { ready: 2 })
  })

  t.test('a send that waits for Redis is stored if Redis returns in time', async (t) => {
    const broker = open({ enqueueTimeout: '10s' })
    t.teardown(() => broker.close())
    await server.stop({ save: true })
    const sending = broker.enqueue(note('patient'))
    await server.start()
    await inTime(sending, 'the send')
    t.match(await broker.stats(queueName), { ready: 1 })
  })

  t.test('a take rejects while Redis is unreachable', async (t) => {
    const broker = open({ url: 'redis://127.0.0.1:1' })
    t.teardown(() => broker.close())
    await t.rejects(inTime(broker.consume(queueName).take(1), 'the rejection'), ConnectionFailed)
  })

  for (const away of [false, true]) {
    t.test(`a process ends once its broker is closed${away ? ', though Redis is unreachable' : ''}`, async (t) => {
      const broker = open()
      await broker.enqueue(note('x'))
      await broker.close()
      const child = new Child(t, 'redis-closing-consumer.ts', [server.url, broker.namespace, queueName])
      await inTime(
        child.until((lines) => lines.includes('asleep')),
        'the child to sleep',
      )
      if (away) await server.stop()
      child.writeLine('close')
      await inTime(
        child.until((lines) => lines.includes('closed')),
        'the end of its broker',
      )
      const closedAt = performance.now()
      await inTime(child.ended(), 'its end')
      if (away) await server.start()
      t.ok(performance.now() - closedAt < 1500, 'nothing keeps it alive')
      t.equal(child.process.exitCode, 0)
    })
  }

  t.test('a full Redis refuses sends with a clear error, and workers continue to drain the queue', async (t) => {
    const broker = open()
    t.teardown(async () => {
      await admin.config('SET', 'maxmemory', '0')
      await broker.close()
    })
    await broker.enqueueMany(notes(5))
    await broker.enqueue(note('soon'), { delay: 20 })
    await admin.config('SET', 'maxmemory', '1000')

    await t.rejects(broker.enqueue(note('too much')), { message: /out of memory.*maxmemory/s })
    await t.rejects(broker.enqueue(note('too much'), { delay: 50 }), BrokerError)

    const consumer = broker.consume(queueName)
    const names: unknown[] = []
    while (names.length < 6) {
      const delivery = await takeOne(consumer)
      names.push(nameOf(delivery))
      if (nameOf(delivery) === 1) await consumer.ack(delivery, [{ message: note('retried'), delay: 3_600_000 }])
      else if (nameOf(delivery) === 2) await consumer.deadLetter(delivery, { reason: 'bad' }, [])
      else await consumer.ack(delivery, [])
    }
    t.same(names.sort(), [1, 2, 3, 4, 5, 'soon'])
    t.same(await broker.stats(queueName), { ready: 0, delayed: 1, inFlight: 0, dead: 1 })
  })

  t.test(
    'on a full Redis limiters are released, and workers that store results continue to drain the queue',
    async (t) => {
      const broker = new RedisBroker({ url: server.url, namespace: randomUUID() })
      const limits = new RedisRateLimits({ url: server.url })
      t.teardown(async () => {
        await admin.config('SET', 'maxmemory', '0')
        await broker.close()
        await limits.close()
      })
      const [key, barrierKey] = [randomUUID(), randomUUID()]
      const add = actor((a: number, b: number) => a + b, { broker, actorName: 'add', storeResults: true })
      const messages = await add.sendMany([
        [1, 2],
        [3, 4],
      ])
      const slots = new ConcurrentRateLimiter(limits, key, { limit: 2 })
      const barrier = new Barrier(limits, barrierKey)
      await barrier.create(2)
      await slots.acquire(async () => {
        await admin.config('SET', 'maxmemory', '1000')
      })
      t.equal(await admin.get(key), '0', 'the slot is free again')
      await t.rejects(slots.acquire(), { message: /out of memory.*maxmemory/s })
      t.equal(await barrier.wait({ block: false }), false)
      t.equal(await barrier.wait({ block: false }), true, 'the last one notifies the others')

      const worker = new Worker(broker, { threads: 0 })
      await worker.start()
      t.teardown(() => worker.stop())
      t.same(await Promise.all(messages.map((message) => message.result({ timeout: '10s' }))), [3, 7])
      await broker.join('default', { timeout: '10s' })
    },
  )

  t.test('a Redis that may evict keys causes one warning', async (t) => {
    await admin.config('SET', 'maxmemory-policy', 'allkeys-lru')
    const broker = open({ redis: { connectionName: 'eviction' } })
    t.teardown(async () => {
      await admin.config('SET', 'maxmemory-policy', 'noeviction')
      await broker.close()
    })
    const warnings = (): unknown[] => log.filter(({ text }) => text.includes('evicts keys'))
    await broker.enqueue(note(1))
    await until(() => warnings().length > 0, 'the warning')
    await broker.enqueue(note(2))
    t.equal(warnings().length, 1)
  })

  t.test('a user without permission for CONFIG, PUBLISH and SCAN can work all the same', async (t) => {
    const user = `limited${randomUUID().slice(0, 8)}`
    await admin.acl('SETUSER', user, 'on', '>secret', '~*', '+@all', '-@admin', '-@dangerous', '-publish', '-subscribe')
    const broker = open({ redis: { username: user, password: 'secret' } })
    t.teardown(() => broker.close())
    await broker.enqueue(note('modest'))
    const consumer = broker.consume(queueName)
    const delivery = await takeOne(consumer)
    await consumer.ack(delivery, [])
    t.match(await broker.stats(queueName), { ready: 0, inFlight: 0 })
  })

  t.test(
    'a user with a password and the keys of one namespace alone lacks nothing there, and has nothing elsewhere',
    async (t) => {
      const [user, namespace] = [`app-${randomUUID()}`, randomUUID()]
      const may = ['+@read', '+@write', '+@scripting', '+@connection', '+time', '+info']
      await admin.acl('SETUSER', user, 'on', '>s3cret:/@', `~${namespace}:*`, '-@all', ...may)
      const url = `redis://${user}:${encodeURIComponent('s3cret:/@')}@127.0.0.1:${server.port}/0`
      const broker = open({ url, namespace, heartbeatTimeout: 200 })
      const dead = open({ namespace, heartbeatTimeout: 200 })
      await broker.enqueue(note('left behind'))
      await takeOne(dead.consume(queueName))
      await dead.close()
      const worker = consumeAll(broker)
      t.teardown(() => worker.close())
      await broker.enqueue(note('plain'))
      await broker.enqueue(note('urgent', { broker_priority: 9 }))
      await broker.enqueue(note('delayed'), { delay: 50 })
      await until(() => worker.seen.length === 4, 'all of them, including those of a dead worker')
      await broker.join(queueName, { timeout: '10s' })
      const other = broker.consume('other')
      await broker.enqueue(note('bad', {}, 'other'))
      await other.deadLetter(await takeOne(other), { reason: 'bad' }, [])
      const { letters } = await broker.deadLetters('other')
      t.equal(await broker.requeueDeadLetter(letters[0]?.id ?? ''), true)
      await broker.flush('other')
      t.same(await broker.stats('other'), { ready: 0, delayed: 0, inFlight: 0, dead: 0 })

      const elsewhere = open({ url })
      t.teardown(() => elsewhere.close())
      await t.rejects(elsewhere.enqueue(note('forbidden')), { message: /refused.*(NOPERM|permission)/ })
    },
  )

  t.test('a wrong password is reported as the reason', async (t) => {
    const broker = open({ redis: { username: 'nobody', password: 'wrong' }, enqueueTimeout: 300 })
    t.teardown(() => broker.close())
    const error = await broker.enqueue(note(1)).catch((error: unknown) => error)
    t.ok(error instanceof BrokerUnusable)
    t.match(error, { message: /refused the password \(WRONGPASS/ })
  })
})
