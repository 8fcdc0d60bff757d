/** The faults that a test can switch on, and what a worker makes of them. */
import t from 'tap'
import { BrokerError, ConnectionFailed } from '../../lib/errors.js'
import { Worker } from '../../lib/worker/worker.js'
import { openTestBroker as open } from '../support/test-broker.js'

t.test('duplicate: each message is delivered twice with one id, a retry is not doubled again', async (t) => {
  const { broker, actor } = open(t)
  const runs: string[] = []
  let failures = 1
  const pay = actor(
    async (order: string) => {
      runs.push(order)
      if (failures-- > 0) throw new Error('not yet')
    },
    { actorName: 'pay' },
  )
  broker.faults.duplicate()
  await pay.sendMany([['a'], ['b']])
  await broker.drain()
  t.same(runs.toSorted(), ['a', 'a', 'a', 'b', 'b'])
  await broker.assertSent(pay, ['a'], { count: 1 })

  broker.faults.clear()
  await pay.send('c')
  await broker.drain()
  t.equal(runs.filter((order) => order === 'c').length, 1)
})

t.test('duplicate: only the messages of one actor', async (t) => {
  const { broker, actor } = open(t)
  const runs: string[] = []
  const one = actor(async () => void runs.push('one'), { actorName: 'one' })
  const other = actor(async () => void runs.push('other'), { actorName: 'other' })
  broker.faults.duplicate(one)
  await one.send()
  await other.send()
  await broker.drain()
  t.same(runs.toSorted(), ['one', 'one', 'other'])
})

t.test('reorder: the newest message comes first', async (t) => {
  const { broker, actor } = open(t, { concurrency: 1 })
  const order: number[] = []
  const job = actor(async (index: number) => void order.push(index), { actorName: 'job' })
  broker.faults.reorder()
  await job.sendMany([[1], [2], [3], [4]])
  await broker.drain()
  t.same(order, [4, 3, 2, 1])
  t.match(await broker.stats('default'), { ready: 0, inFlight: 0 })
})

t.test('loseConnection: sends, takes and everything else fail until it is restored', async (t) => {
  const { broker, actor } = open(t)
  let runs = 0
  const job = actor(async () => void runs++, { actorName: 'job' })
  const consumer = broker.consume('other')
  const waiting = consumer.take(1)
  broker.faults.loseConnection()
  await t.rejects(waiting, ConnectionFailed)
  await t.rejects(consumer.take(1), ConnectionFailed)
  await t.rejects(job.send(), ConnectionFailed)
  await t.rejects(broker.stats('default'), ConnectionFailed)
  await t.rejects(broker.check(), ConnectionFailed)
  await t.rejects(broker.deadLetters('default'), ConnectionFailed)
  await t.rejects(broker.flush('default'), ConnectionFailed)
  await t.rejects(broker.state?.read(['key']) as Promise<unknown>, ConnectionFailed)
  const unique = actor(async () => {}, { actorName: 'unique', unique: true })
  await t.rejects(unique.send(), ConnectionFailed)
  await t.rejects(
    broker.drain({ within: 20 }).then(() => job.send()),
    ConnectionFailed,
  )

  broker.faults.restoreConnection()
  await job.send()
  await broker.drain()
  t.equal(runs, 1)
})

t.test('loseConnection: a drain that can not go on says why', async (t) => {
  const { broker, actor } = open(t)
  const job = actor(async () => {}, { actorName: 'job' })
  await job.send()
  broker.faults.loseConnection()
  await t.rejects(broker.drain({ within: 30 }), { message: /1 ready.* The connection is lost/ })
  broker.faults.restoreConnection()
  await broker.drain()
})

t.test('loseConnection: what a worker could not settle it settles once the connection is back', async (t) => {
  const { broker, actor } = open(t)
  let runs = 0
  const job = actor(
    async () => {
      runs++
      broker.faults.loseConnection()
    },
    { actorName: 'job' },
  )
  const worker = new Worker(broker, { threads: 0 })
  t.teardown(() => worker.stop({ timeout: 0 }))
  await worker.start()
  await job.send()
  await t.rejects(broker.waitFor(job, 'succeeded', { within: 20 }), { message: /1 in flight/ })
  broker.faults.restoreConnection()
  await broker.waitFor(job, 'succeeded')
  t.equal(runs, 1)
  t.match(await broker.stats('default'), { ready: 0, inFlight: 0 })
})

t.test('failNextAck: the message runs again, and what it sent is stored once', async (t) => {
  const { broker, actor } = open(t)
  let runs = 0
  const told: unknown[] = []
  const tell = actor(async (_message: object, result: unknown) => void told.push(result), { actorName: 'tell' })
  const job = actor(async () => ++runs, { actorName: 'job', onSuccess: tell })
  broker.faults.failNextAck()
  await job.send()
  await broker.drain()
  t.equal(runs, 2)
  t.same(told, [2])
})

t.test('failNextAck: without retries the message counts as lost, as after a crash', async (t) => {
  const { broker, actor } = open(t)
  const job = actor(async () => {}, { actorName: 'job', maxRetries: 0 })
  broker.faults.failNextAck()
  await job.send()
  await t.rejects(broker.drain(), { message: /job\(\): worker lost: delivered 1 time and never settled/ })
})

t.test('failNextAck: a lost dead-lettering is no dead letter', async (t) => {
  const { broker, actor } = open(t)
  const refused = new TypeError('no')
  const job = actor(async () => Promise.reject(refused), { actorName: 'job', throws: TypeError })
  broker.faults.failNextAck()
  await job.send()
  const error = await broker.drain().catch((error: unknown) => error)
  t.match(error, { message: /; 1 was dead-lettered/, cause: refused })
  t.match(await broker.stats('default'), { dead: 1, inFlight: 0, ready: 0 })
})

t.test('perform under faults returns the result, and leaves what the fault does', async (t) => {
  const { broker, actor } = open(t)
  const add = actor((a: number, b: number) => a + b, { actorName: 'add' })
  broker.faults.failNextAck()
  t.equal(await broker.perform(add, [1, 2]), 3)
  t.match(await broker.stats('default'), { ready: 1, inFlight: 0 })
  broker.faults.loseConnection()
  const waiting = broker.perform(add, [1, 2])
  broker.faults.restoreConnection()
  t.equal(await waiting, 3)
  t.ok(new ConnectionFailed('') instanceof BrokerError)
})
