import t from 'tap'
import { remoteActor } from '../../lib/actor.js'
import { current } from '../../lib/current.js'
import { Retry, SkipMessage } from '../../lib/errors.js'
import { Message } from '../../lib/message.js'
import { failure, gate, stage, until } from '../support/memory.js'
import { openTestBroker } from '../support/test-broker.js'

t.test('an actor that is sent runs with its arguments, and its result can be waited for', async (t) => {
  const { actor, work } = stage(t)
  const add = actor(
    async function add(a: number, b: number) {
      return a + b
    },
    { storeResults: true },
  )
  await work()
  const message = await add.send(1, 2)
  t.equal(await message.result(), 3)
})

t.test("Python's kwargs come as one object after the arguments", async (t) => {
  const { actor, work } = stage(t)
  const echo = actor((...args: unknown[]) => args, { actorName: 'echo', storeResults: true })
  await work()
  const message = await echo.sendWithOptions({ args: [1], kwargs: { deep: { a: [null] } } })
  t.same(await message.result(), [1, { deep: { a: [null] } }])
})

t.test('current() is the message in hand, also after an await, and there is none outside', async (t) => {
  const { actor, work } = stage(t)
  const who = actor(
    async function who() {
      await new Promise(setImmediate)
      return [current().message.messageId, current().signal.aborted]
    },
    { storeResults: true },
  )
  await work({ concurrency: 4 })
  const messages = await who.sendMany([[], [], []])
  for (const message of messages) t.same(await message.result(), [message.messageId, false])
  t.throws(() => current(), { message: /only there while an actor runs/ })
})

t.test(
  'a failed message is retried with its attempts counted, then dead-lettered with reason and traceback',
  async (t) => {
    const { actor, broker } = openTestBroker(t)
    const seen: unknown[] = []
    const fail = actor(
      async function fail(what: string) {
        seen.push(current().message.options.retries)
        throw new TypeError(what)
      },
      { maxRetries: 2, minBackoff: '15s', storeResults: true, resultTtl: '1d' },
    )
    const message = await fail.send('boom')
    await t.rejects(broker.drain(), { message: /fail\("boom"\): TypeError: boom \(after 2 retries\)$/ })
    t.same(seen, [undefined, 1, 2])
    const { letters } = await broker.deadLetters('default')
    t.equal(letters.length, 1)
    t.match(letters[0], { reason: /TypeError: boom \(after 2 retries\)/, traceback: /TypeError: boom\n$/ })
    await t.rejects(message.result(), failure('TypeError', 'boom'))
  },
)

t.test('an actor can ask to be retried at a time of its choice; the attempt is counted', async (t) => {
  const { actor, broker } = openTestBroker(t)
  const times: number[] = []
  const later = actor(
    async function later() {
      times.push(broker.clock.now())
      if (times.length === 1) throw new Retry({ delay: '30s' })
      return current().message.options.retries
    },
    { storeResults: true },
  )
  const message = await later.send()
  t.match(await broker.waitFor(later, 'retried'), { delay: 30_000, attempt: 1 })
  await broker.advance('29s')
  t.equal(times.length, 1)
  await broker.advance('2s')
  t.equal(await message.result(), 1)
})

t.test('what an actor says it throws is not retried', async (t) => {
  class Refused extends Error {
    override name = 'Refused'
  }
  const { actor, broker } = openTestBroker(t)
  const pay = actor(
    async function pay() {
      throw new Refused('card')
    },
    { throws: Refused },
  )
  await t.rejects(broker.perform(pay, []), Refused)
  t.match((await broker.deadLetters('default')).letters, [{ reason: /Refused: card/ }])
})

t.test('retryWhen decides in place of maxRetries', async (t) => {
  const { actor, broker } = openTestBroker(t)
  const asked: unknown[] = []
  const flaky = actor(
    async function flaky() {
      throw new Error('no')
    },
    { maxRetries: 0, retryWhen: (retries, error) => asked.push([retries, error.message]) < 3 },
  )
  await flaky.send()
  await broker.drain({ failOnDeadLetter: false })
  t.same(asked, [
    [0, 'no'],
    [1, 'no'],
    [2, 'no'],
  ])
})

t.test('onRetryExhausted, onFailure and onSuccess call other actors with what happened', async (t) => {
  const { actor, broker } = openTestBroker(t)
  const note = (name: string) => actor(async (_message: object, _detail: unknown) => {}, { actorName: name })
  const [failed, exhausted, succeeded] = [note('failed'), note('exhausted'), note('succeeded')]
  const options = { onFailure: failed, onRetryExhausted: exhausted, onSuccess: succeeded }
  const fail = actor(
    async function fail() {
      throw new RangeError('far')
    },
    { ...options, maxRetries: 1 },
  )
  const fine = actor(async function fine() {
    return { ok: 1 }
  }, options)
  const [bad, good] = [await fail.send(), await fine.send()]
  await broker.drain({ failOnDeadLetter: false })
  const about = (message: Message, retries?: number) => ({ message_id: message.messageId, options: { retries } })
  const why = { type: 'RangeError', message: 'far' }
  await broker.assertSent(failed, [about(bad, 1), why], { count: 1 })
  await broker.assertSent(failed, [about(bad, 2), why], { count: 1 })
  await broker.assertSent(failed, [], { count: 2 })
  await broker.assertSent(exhausted, [about(bad, 2), { retries: 1, max_retries: 1 }], { count: 1 })
  await broker.assertSent(exhausted, [], { count: 1 })
  await broker.assertSent(succeeded, [about(good), { ok: 1 }], { count: 1 })
  await broker.assertSent(succeeded, [], { count: 1 })
})

t.test('a pipe_target gets the result as its last argument, unless it ignores it', async (t) => {
  const { actor, broker, work } = stage(t)
  const add = actor((a: number, b: number) => a + b, { actorName: 'add', storeResults: true })
  await work()
  const step = remoteActor<[number], number>('add', { broker })
  const last = step.message(5)
  const middle = step.messageWithOptions({ args: [10], options: { pipe_target: last.toWire() } })
  await add.sendWithOptions({ args: [1, 2], options: { pipe_target: middle.toWire() } })
  t.equal(await last.result(), 18)
  const alone = add.messageWithOptions({ args: [7, 8], pipeIgnore: true })
  await add.sendWithOptions({ args: [1, 2], options: { pipe_target: alone.toWire() } })
  t.equal(await alone.result(), 15)
  await broker.join('default')
})

t.test('a message that is too old is dead-lettered without being run', async (t) => {
  const { actor, broker, work } = stage(t)
  let ran = 0
  const code = actor(
    async function code() {
      ran++
    },
    { maxAge: '1m', storeResults: true },
  )
  const message = await code.sendWithOptions({ delay: '2m' })
  await work()
  await broker.advance('3m')
  t.equal(ran, 0)
  t.match((await broker.deadLetters('default')).letters, [{ reason: 'Message age limit exceeded' }])
  await t.rejects(message.result(), failure('SkipMessage', 'Message age limit exceeded'))
})

t.test('SkipMessage acknowledges a message undone, its result null', async (t) => {
  const { actor, broker, work } = stage(t)
  const skip = actor(
    async function skip(): Promise<number> {
      throw new SkipMessage('nothing to do')
    },
    { storeResults: true },
  )
  await work()
  t.equal(await (await skip.send()).result(), null)
  await broker.join('default')
  t.same(await broker.stats('default'), { ready: 0, delayed: 0, inFlight: 0, dead: 0 })
})

t.test('a message for an unknown actor is dead-lettered with the reason and touches no other', async (t) => {
  const { actor, broker, log, work } = stage(t)
  const ok = actor(async () => 1, { actorName: 'ok', storeResults: true })
  await work()
  await broker.enqueue(new Message({ queueName: 'default', actorName: 'nobody', args: [] }))
  t.equal(await (await ok.send()).result(), 1)
  await broker.join('default')
  const reason = /No actor named "nobody"; import its module before starting the worker/
  t.match((await broker.deadLetters('default')).letters, [{ reason }])
  t.equal(log.filter((line) => line.level === 'error').length, 1)
})

t.test(
  'a result that JSON cannot carry fails the message where it is wanted, and is dropped where it is not',
  async (t) => {
    const { actor, broker, work } = stage(t)
    const make = (): unknown => new Map([[1, 2]])
    const wanted = actor(make, { actorName: 'wanted', storeResults: true })
    const unwanted = actor(make, { actorName: 'unwanted' })
    await work()
    await unwanted.send()
    await t.rejects((await wanted.send()).result(), failure('NotSerializable', /result is a Map/))
    await broker.join('default')
    t.match((await broker.deadLetters('default')).letters, [{ reason: /result is a Map/ }])
  },
)

t.test('a time limit aborts the signal; an actor that ends then fails with TimeLimitExceeded', async (t) => {
  const { actor, broker, work } = stage(t)
  const slow = actor(
    async function slow() {
      const { signal } = current()
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    },
    { timeLimit: '10s', maxRetries: 0, storeResults: true },
  )
  await work()
  const message = await slow.send()
  await until(async () => (await broker.stats('default')).inFlight === 1)
  await broker.advance('11s')
  await t.rejects(message.result(), failure('TimeLimitExceeded'))
})

t.test('inline, an actor that ignores its signal is left alone with a warning, and its slot is free', async (t) => {
  const { actor, broker, log, work } = stage(t)
  const never = actor(() => new Promise(() => {}), { actorName: 'never', timeLimit: '10s', maxRetries: 0 })
  const ok = actor(async () => 1, { actorName: 'ok', storeResults: true })
  await work({ concurrency: 1 })
  await never.send()
  const message = await ok.send()
  await until(async () => (await broker.stats('default')).inFlight > 0)
  await broker.advance('1m')
  t.equal(await message.result(), 1)
  t.ok(log.some((line) => line.level === 'warn' && /can't be terminated without threads/.test(line.text)))
})

t.test('messages that a worker holds are started by priority, then by age', async (t) => {
  const { actor, broker, work } = stage(t)
  const order: string[] = []
  const { opened, open } = gate()
  const step = actor(
    async (name: string) => {
      if (name === 'first') await opened
      order.push(name)
    },
    { actorName: 'step' },
  )
  await work({ concurrency: 1, prefetch: 10 })
  await step.send('first')
  await until(async () => (await broker.stats('default')).inFlight === 1)
  for (const [name, priority] of [
    ['a', 0],
    ['b', 5],
    ['c', 9],
    ['d', 5],
  ] as const) {
    await step.sendWithOptions({ args: [name], priority })
  }
  await until(async () => (await broker.stats('default')).inFlight === 5)
  open()
  await broker.join('default')
  t.same(order, ['first', 'c', 'b', 'd', 'a'])
})

t.test(
  'an essential plugin whose hook fails after the actor ran stops the acknowledgement; a watcher does not',
  async (t) => {
    const { actor, broker, log, work } = stage(t)
    let runs = 0
    let failures = 2
    broker.use({
      name: 'Keeper',
      essential: true,
      afterProcessMessage() {
        if (failures-- > 0) throw new Error('store is away')
      },
    })
    broker.use({
      name: 'Watcher',
      afterProcessMessage() {
        throw new Error('metrics are away')
      },
    })
    const job = actor(async function job() {
      runs++
    })
    await work()
    await job.send()
    await until(async () => (await broker.stats('default')).delayed === 1)
    await broker.advance('1m')
    await broker.join('default')
    t.equal(runs, 3, 'delivered again until the plugin had worked')
    t.equal((await broker.stats('default')).dead, 0)
    t.ok(log.some((line) => line.fields.plugin === 'Watcher'))
  },
)

t.test('a message whose essential plugin fails for ever is dead-lettered after maxRetries deliveries', async (t) => {
  const { actor, broker, work } = stage(t)
  let runs = 0
  broker.use({
    name: 'Keeper',
    essential: true,
    afterProcessMessage() {
      throw new Error('store is gone')
    },
  })
  const job = actor(
    async function job() {
      runs++
    },
    { maxRetries: 2 },
  )
  await work()
  await job.send()
  await until(async () => (await broker.stats('default')).delayed === 1)
  await broker.advance('1h')
  await broker.join('default')
  t.equal(runs, 3)
  t.match((await broker.deadLetters('default')).letters, [
    { reason: /afterProcessMessage of Keeper failed: store is gone/ },
  ])
})

t.test('aroundProcess surrounds the actor, the first plugin outermost', async (t) => {
  const { actor, broker, work } = stage(t)
  const steps: string[] = []
  for (const name of ['outer', 'inner']) {
    broker.use({
      name,
      async aroundProcess(_message, next) {
        steps.push(`${name} in`)
        try {
          return await next()
        } finally {
          steps.push(`${name} out`)
        }
      },
    })
  }
  const job = actor(async () => void steps.push('actor'), { actorName: 'job' })
  await work()
  await job.send()
  await broker.join('default')
  t.same(steps, ['outer in', 'inner in', 'actor', 'inner out', 'outer out'])
})

t.test('a message near the limit is retried with what Retries adds to it, and dies of its own error', async (t) => {
  const { actor, broker, work } = stage(t)
  let runs = 0
  const big = actor(
    async (_text: string) => {
      throw new Error(`${++runs}: ${'x'.repeat(1000)}`)
    },
    { actorName: 'big', maxRetries: 1, minBackoff: 1, maxBackoff: 1 },
  )
  await work()
  await big.send('y'.repeat(broker.maxMessageSize - 400))
  await broker.join('default')
  t.equal(runs, 2)
  t.match((await broker.deadLetters('default')).letters, [{ reason: /^Error: 2: xxx/ }])
})
