/** A feature of the MemoryBroker only: a clock that tests can advance, and everything that depends on it. */
import t from 'tap'
import { MemoryBroker, MemoryRateLimits, MemoryResults } from '../../brokers/memory/index.js'
import { BrokerClosed, InvalidOption, ResultMissing, ResultTimeout } from '../../lib/errors.js'
import { Message } from '../../lib/message.js'
import { nameOf, note, notes, queueName, take, takeOne } from '../../testing/contract/brokers/exam.js'
import { stage } from '../support/memory.js'

t.test('advance delivers delayed messages, in order of their time', async (t) => {
  const broker = new MemoryBroker({ middleware: [] })
  t.teardown(() => broker.close())
  await broker.enqueue(note('in a day'), { delay: '1d' })
  await broker.enqueue(note('in an hour'), { delay: '1h' })
  await broker.enqueue(note('in an hour, too'), { delay: '1h' })
  await broker.advance('59m')
  t.match(await broker.stats(queueName), { ready: 0, delayed: 3 })
  await broker.advance('1m')
  t.match(await broker.stats(queueName), { ready: 2, delayed: 1 })
  await broker.advance('30d')
  t.same((await take(broker.consume(queueName), 3)).map(nameOf), ['in an hour', 'in an hour, too', 'in a day'])
})

t.test('a message that fails runs through all of its retries in one advance, each at its time', async (t) => {
  const { broker, actor, work } = stage(t)
  const ranAt: number[] = []
  const flaky = actor(
    async function flaky() {
      ranAt.push(broker.clock.now())
      await new Promise(setImmediate)
      if (ranAt.length < 7) throw new Error(`attempt ${ranAt.length}`)
      return 'done'
    },
    { minBackoff: '15s', jitter: false, storeResults: true },
  )
  await work()
  const message = await flaky.send()

  await broker.advance('16m')

  t.equal(await message.result({ timeout: 0 }), 'done')
  const gaps = ranAt.slice(1).map((time, index) => time - (ranAt[index] as number))
  t.same(gaps, [15_000, 30_000, 60_000, 120_000, 240_000, 480_000])
  await broker.join('default', { timeout: '10s' })
})

t.test('a time limit ends an actor that never returns', async (t) => {
  const { broker, actor, work } = stage(t)
  const endless = actor(() => new Promise<void>(() => {}), { actorName: 'endless', maxRetries: 0, storeResults: true })
  await work()
  const message = await endless.send()
  await broker.advance('11m')
  await t.rejects(message.result({ timeout: 0 }), { message: /TimeLimitExceeded/ })
  t.match(await broker.stats('default'), { ready: 0, inFlight: 0, dead: 1 })
})

t.test('results expire by that clock', async (t) => {
  const broker = new MemoryBroker()
  t.teardown(() => broker.close())
  const results = broker.results as MemoryResults
  const message = new Message({ queueName, actorName: 'add', args: [] })
  await results.storeResult(message, 3, 600_000)
  await broker.advance('9m')
  t.equal(await results.get(message, { timeout: 0 }), 3)
  await broker.advance('2m')
  await t.rejects(results.get(message, { timeout: 0 }), ResultMissing)
})

t.test('waits end by that clock', async (t) => {
  const broker = new MemoryBroker()
  t.teardown(() => broker.close())
  const message = new Message({ queueName, actorName: 'add', args: [] })
  const limits = new MemoryRateLimits({ name: t.name, clock: broker.clock })
  const waiting = Promise.all([
    t.rejects(broker.results?.get(message, { timeout: '1h' }) as Promise<unknown>, ResultTimeout),
    limits.wait('event', 3_600_000),
  ])
  await broker.advance('1h')
  t.same((await waiting)[1], false)
})

t.test('dead letters expire by that clock, whether they were read or not', async (t) => {
  const broker = new MemoryBroker({ middleware: [] })
  t.teardown(() => broker.close())
  const consumer = broker.consume(queueName)
  await broker.enqueueMany(notes(2))
  await consumer.deadLetter(await takeOne(consumer), { reason: 'bad' }, [])
  await broker.advance('4d')
  await consumer.deadLetter(await takeOne(consumer), { reason: 'bad' }, [])
  await broker.advance('4d')
  t.same((await broker.deadLetters(queueName)).letters.map(nameOf), [2])
  await broker.advance('4d')
  t.match(await broker.stats(queueName), { dead: 0 })
})

t.test('rate limits expire by that clock', async (t) => {
  const broker = new MemoryBroker({ middleware: [] })
  t.teardown(() => broker.close())
  const limits = new MemoryRateLimits({ name: t.name, clock: broker.clock })
  t.equal(await limits.add('key', 1, 60_000), true)
  await broker.advance('59s')
  t.equal(await limits.add('key', 1, 60_000), false)
  await broker.advance('2s')
  t.equal(await limits.add('key', 1, 60_000), true)
})

t.test('several messages that are requeued together keep their order', async (t) => {
  const broker = new MemoryBroker({ middleware: [] })
  t.teardown(() => broker.close())
  const consumer = broker.consume(queueName)
  await broker.enqueueMany(notes(6))
  for (const delivery of (await take(consumer, 4)).reverse()) await consumer.requeue(delivery)
  t.same((await take(consumer, 2)).map(nameOf), [1, 2])
  for (const delivery of await take(consumer, 2)) await consumer.requeue(delivery)
  t.same((await take(consumer, 4)).map(nameOf), [3, 4, 5, 6])
})

t.test('messages sent in one turn are taken as one batch', async (t) => {
  const broker = new MemoryBroker({ middleware: [] })
  t.teardown(() => broker.close())
  const waiting = broker.consume(queueName).take(100)
  for (const message of notes(50)) await broker.enqueue(message)
  t.equal((await waiting).length, 50)
})

t.test('closing the broker ends a wait for a result', async (t) => {
  const broker = new MemoryBroker()
  const message = new Message({ queueName, actorName: 'add', args: [] })
  const waiting = t.rejects(broker.results?.get(message, { timeout: '1h' }) as Promise<unknown>, BrokerClosed)
  await new Promise(setImmediate)
  await broker.close()
  await waiting
})

t.test('unknown settings are refused', async (t) => {
  t.throws(() => new MemoryBroker({ maxMesageSize: 1 } as object), {
    constructor: InvalidOption,
    message: /did you mean "maxMessageSize"/,
  })
  t.throws(() => new MemoryResults({ namspace: 'x' } as object), { message: /did you mean "namespace"/ })
  t.throws(() => new MemoryRateLimits({ nam: 'x' } as object), { message: /did you mean "name"/ })
  t.throws(() => new MemoryRateLimits({ name: 5 as never }), { message: /"name".*a text; got 5/ })
  const broker = new MemoryBroker()
  t.teardown(() => broker.close())
  await t.rejects(broker.advance('soon' as never), InvalidOption)
})

t.test('any value of a priority is read as a number from 0 to 9', async (t) => {
  const broker = new MemoryBroker({ middleware: [] })
  t.teardown(() => broker.close())
  const given = [255, 9.9, 3.7, -1, '5', null, Number.MIN_VALUE]
  await broker.enqueueMany(given.map((priority) => note(priority, { broker_priority: priority })))
  const taken = await take(broker.consume(queueName), given.length)
  t.same(
    taken.map(({ priority }) => priority),
    [9, 9, 3, 0, 0, 0, 0],
  )
})
