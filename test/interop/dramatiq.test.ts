/** Real Python Dramatiq and us, on one Redis: queues, delays, results, limits and deaths are shared. */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Redis } from 'ioredis'
import { type Test, t } from 'tap'
import { RedisBroker, type RedisBrokerOptions, RedisRateLimits } from '../../brokers/redis/index.js'
import { actor, remoteActor } from '../../lib/actor.js'
import { contextValue } from '../../lib/context-values.js'
import { ResultFailure } from '../../lib/errors.js'
import { Message } from '../../lib/message.js'
import { ConcurrentRateLimiter } from '../../lib/rate-limits/index.js'
import { Worker } from '../../lib/worker/worker.js'
import { inTime, takeOne, until } from '../../testing/contract/brokers/exam.js'
import { captureLog } from '../support/log.js'
import { Python, withPython } from '../support/python.js'

captureLog()

await withPython(interop)

function interop(python: string, url: string, redis: Redis): void {
  const service = (t: Test, options = {}): Python => {
    const service = new Python(python, url, options)
    t.teardown(() => service.kill())
    return service
  }

  /** A broker of ours with its actors, and a worker for them where it is wanted. */
  async function node(t: Test, { work = true, ...options }: RedisBrokerOptions & { work?: boolean } = {}) {
    const broker = new RedisBroker({ url, ...options })
    const here = { broker, queueName: 'node', storeResults: true }
    const seen: unknown[] = []
    const actors = {
      multiply: actor((x: number, y: number) => x * y, { ...here, actorName: 'multiply' }),
      throw: actor(
        (text: string) => {
          throw new TypeError(text)
        },
        { ...here, actorName: 'throw', maxRetries: 0 },
      ),
      seen: actor((number: number) => void seen.push(number), { broker, actorName: 'seen', queueName: 'shared' }),
    }
    const remote = {
      add: remoteActor<[number, number], number>('add', { broker, queueName: 'python', storeResults: true }),
      fail: remoteActor<[string], never>('fail', { broker, queueName: 'python', storeResults: true }),
      die: remoteActor<[string], void>('die', { broker, queueName: 'python' }),
    }
    const worker = new Worker(broker, { threads: 0, concurrency: 8, queues: ['node', 'shared'] })
    if (work) await worker.start()
    t.teardown(async () => {
      if (work) await worker.stop()
      await broker.close()
    })
    return { broker, actors, remote, seen }
  }

  t.test('Python sends, we run, Python reads the result', async (t) => {
    await node(t)
    const there = service(t)
    const message = await there.tell('send', { actor: 'multiply', args: [6, 7] })
    t.same(await there.tell('result', { message }), { value: 42 })
  })

  t.test('we send, Python runs, we read the result', async (t) => {
    const { remote } = await node(t, { work: false })
    const there = service(t)
    await there.tell('work', { queues: ['python'] })
    const message = await remote.add.send(40, 2)
    t.equal(await message.result({ timeout: '10s' }), 42)
  })

  t.test('a failure of ours reads as one in Python', async (t) => {
    await node(t)
    const there = service(t)
    const message = await there.tell('send', { actor: 'throw', args: ['schlimm: ü'] })
    const failure = { failure: 'actor raised TypeError: schlimm: ü', type: 'TypeError', text: 'schlimm: ü' }
    t.same(await there.tell('result', { message }), failure)
  })

  t.test("a failure of Python's reads as one here, and is among our dead letters", async (t) => {
    const { broker, remote } = await node(t, { work: false })
    const there = service(t)
    await there.tell('work', { queues: ['python'] })
    const message = await remote.fail.send('no luck')
    const error = await message.result({ timeout: '10s' }).catch((error: unknown) => error)
    t.ok(error instanceof ResultFailure)
    t.match(error, { type: 'ValueError', reason: 'no luck' })
    await until(async () => (await broker.stats('python')).dead === 1, 'the dead letter')
    const { letters } = await broker.deadLetters('python')
    t.equal(Message.decode(letters[0]?.body ?? '').messageId, message.messageId)
    t.equal(await broker.requeueDeadLetter(letters[0]?.id ?? ''), true)
    await until(async () => (await broker.stats('python')).dead === 1, 'it to fail again in Python')
  })

  t.test('what Python delays we run at its time, taken out of its delay queue', async (t) => {
    const { broker } = await node(t)
    const there = service(t)
    const far = await there.tell('send', { actor: 'multiply', args: [1, 1], delay: 3_600_000 })
    const sentAt = Date.now()
    const near = await there.tell('send', { actor: 'multiply', args: [2, 3], delay: 1500 })
    t.same(await there.tell('result', { message: near }), { value: 6 })
    t.ok(Date.now() >= sentAt + 1499)
    t.same(await there.tell('result', { message: far, timeout: 1 }), { error: 'ResultTimeout' })
    t.match(await broker.stats('node'), { ready: 0, delayed: 1, inFlight: 0 })
    t.equal(await redis.exists('dramatiq:node.DQ', 'dramatiq:node.DQ.msgs'), 0)
  })

  t.test('what we delay the Python way, Python runs at its time', async (t) => {
    const { broker, remote } = await node(t, { work: false, delayQueue: 'dramatiq' })
    const there = service(t)
    await there.tell('work', { queues: ['python'] })
    const sentAt = Date.now()
    const message = await remote.add.sendWithOptions({ args: [1, 2], delay: 300 })
    t.equal(await message.result({ timeout: '10s' }), 3)
    t.ok(Date.now() >= sentAt + 299)
    await broker.join('python', { timeout: '10s' })
  })

  t.test('a queue that both consume: every message is run once', async (t) => {
    const { broker, actors, seen } = await node(t)
    const there = service(t)
    await there.tell('work', { queues: ['shared'] })
    const numbers = Array.from({ length: 1000 }, (_, index) => index)
    await Promise.all(numbers.map((number) => actors.seen.send(number)))
    const all = (): unknown[] => [...seen, ...there.said.filter((said) => 'seen' in said).map((said) => said.seen)]
    await until(() => all().length >= 1000, 'all of them')
    await broker.join('shared', { timeout: '10s' })
    t.same(
      all().sort((a, b) => Number(a) - Number(b)),
      numbers,
    )
  })

  t.test('a pipeline that Python made goes on here and there', async (t) => {
    await node(t)
    const there = service(t)
    await there.tell('work', { queues: ['python'] })
    const steps = [
      ['multiply', [2, 3]],
      ['add', [4]],
      ['multiply', [5]],
    ]
    const messages = await there.tell<object[]>('pipe', { others: steps })
    t.same(await there.tell('result', { message: messages.at(-1) }), { value: 50 })
  })

  t.test('context values of ours: Python ignores them, and keeps them in a pipeline', async (t) => {
    const { broker, remote } = await node(t)
    const there = service(t)
    await there.tell('work', { queues: ['python'] })
    const requestId = new AsyncLocalStorage<string>()
    contextValue('requestId', requestId)
    const after = actor((sum?: number) => `${sum} for ${requestId.getStore()}`, {
      broker,
      actorName: 'after',
      queueName: 'node',
      storeResults: true,
    })
    const [first, last] = requestId.run('r1', () => {
      const last = after.message()
      return [remote.add.messageWithOptions({ args: [1, 2], options: { pipe_target: last.toWire() } }), last]
    })
    await broker.enqueue(first)
    t.equal(await last.result({ timeout: '10s' }), '3 for r1')
    t.equal(await first.result({ timeout: '10s' }), 3)
  })

  t.test('a Python worker that dies: we run what it held', async (t) => {
    const { broker, remote } = await node(t, { work: false, heartbeatTimeout: 1000 })
    const there = service(t)
    await there.tell('work', { queues: ['python'] })
    await remote.die.send('farewell')
    await until(() => there.said.some((said) => said.dying === 'farewell'), 'its death')
    const consumer = broker.consume('python')
    const delivery = await takeOne(consumer)
    t.equal(delivery.deliveryCount, 2)
    await consumer.ack(delivery, [])
    await consumer.close()
  })

  t.test('a worker of ours that dies: Python runs what it held', async (t) => {
    const { broker, remote } = await node(t, { work: false })
    const message = await remote.add.send(20, 3)
    const consumer = broker.consume('python')
    await takeOne(consumer)
    await redis.zadd('dramatiq:__heartbeats__', 'XX', 0, broker.workerId)
    const there = service(t, { heartbeatTimeout: 1000 })
    await there.tell('work', { queues: ['python'] })
    t.equal(await message.result({ timeout: '10s' }), 23)
    await consumer.close()
  })

  t.test('a limit is a limit on both sides', async (t) => {
    const backend = new RedisRateLimits({ url })
    t.teardown(() => backend.close())
    const there = service(t)
    const mutex = new ConcurrentRateLimiter(backend, 'mutex', { limit: 1 })
    t.equal(await there.tell('limit', { key: 'mutex' }), true)
    await mutex.acquire(async () => {
      t.equal(await inTime(there.tell('limit', { key: 'mutex' }), 'an answer'), false)
    })
    t.equal(await there.tell('limit', { key: 'mutex' }), true)
  })
}
