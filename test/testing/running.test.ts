/** How a test runs the messages of its broker: one, until something happened, or all of them. */
import t from 'tap'
import { setBroker } from '../../lib/default-broker.js'
import { BrokerClosed, Retry, SkipMessage } from '../../lib/errors.js'
import type { Middleware } from '../../lib/middleware.js'
import { Worker } from '../../lib/worker/worker.js'
import { flaky, openTestBroker as open, Refused } from '../support/test-broker.js'

t.test('perform returns the result of the actor, or throws its own error', async (t) => {
  const { broker, actor } = open(t)
  t.same(await broker.perform(flaky({ actor }, 0), ['ada']), { name: 'ada', attempt: 1 })
  const error = new Refused('no')
  const fails = actor(async () => Promise.reject(error), { actorName: 'fails' })
  t.equal(await broker.perform(fails, []).catch((thrown: unknown) => thrown), error)
  t.same(broker.sent, [], 'nobody sent anything')
})

t.test('perform runs the middleware, the hooks of a thread, and the settlement', async (t) => {
  const calls: string[] = []
  const plugin: Middleware = {
    afterThreadStart: () => void calls.push('afterThreadStart'),
    beforeProcessMessage: () => void calls.push('beforeProcessMessage'),
    aroundActor: async (_, next) => {
      calls.push('aroundActor')
      return next()
    },
    afterAck: () => void calls.push('afterAck'),
    afterSettleMessage: (_, { decision }) => void calls.push(decision),
  }
  const { broker, actor } = open(t)
  broker.use(plugin)
  await broker.perform(flaky({ actor }, 0), ['ada'])
  t.same(calls, ['afterThreadStart', 'beforeProcessMessage', 'aroundActor', 'afterAck', 'ack'])
  t.match(await broker.stats('default'), { ready: 0, inFlight: 0 })
})

t.test('perform counts the attempts before it: the last one is dead-lettered, others are retried', async (t) => {
  const { broker, actor } = open(t)
  const job = flaky({ actor }, 9, { maxRetries: 2, minBackoff: '1s' })
  await t.rejects(broker.perform(job, ['ada'], { attempt: 2 }), Refused)
  t.match(await broker.stats('default'), { delayed: 1, dead: 0 })
  await t.rejects(broker.perform(job, ['bob'], { attempt: 3 }), Refused)
  t.match((await broker.deadLetters('default')).letters, [{ reason: 'Refused: bob is refused (after 2 retries)' }])
  t.same(await broker.perform(flaky({ actor }, 0), ['eve'], { attempt: 3 }), { name: 'eve', attempt: 3 })
})

t.test('perform runs its own message only, and what the actor sends waits', async (t) => {
  const { broker, actor } = open(t)
  const ran: string[] = []
  const note = actor(async (what: string) => void ran.push(what), { actorName: 'note' })
  const parent = actor(async () => void (await note.send('child')), { actorName: 'parent', onSuccess: note })
  await note.send('waiting')
  await broker.perform(parent, [])
  t.same(ran, [])
  await broker.assertSent(note, ['child'])
  await broker.drain()
  t.same(ran.slice(0, 2), ['waiting', 'child'])
})

t.test('perform throws what kept the actor from running, and what asked for a retry', async (t) => {
  const { broker, actor } = open(t)
  const skip = actor(async () => Promise.reject(new SkipMessage('not today')), { actorName: 'skip' })
  await t.rejects(broker.perform(skip, []), new SkipMessage('not today'))
  const again = actor(async () => Promise.reject(new Retry({ delay: '1h' })), { actorName: 'again' })
  await t.rejects(broker.perform(again, []), Retry)
  broker.use({
    beforeProcessMessage: () => {
      throw new SkipMessage('paused')
    },
  })
  await t.rejects(broker.perform(flaky({ actor }, 0), ['ada']), { name: 'SkipMessage', message: 'paused' })
})

t.test(
  'unique messages: what is skipped was not sent, what is replaced was sent with its latest arguments',
  async (t) => {
    const { broker, actor } = open(t)
    const saved: string[] = []
    const save = actor(async (text: string) => void saved.push(text), {
      actorName: 'save',
      unique: { key: () => 'document', onDuplicate: 'replace' },
    })
    const once = actor(async () => {}, { actorName: 'once', unique: true })
    await once.send()
    t.equal((await once.send()).deduplicated, 'skipped')
    await broker.assertSent(once, [], { count: 1 })
    await save.sendWithOptions({ args: ['v1'], delay: '1m' })
    await save.sendWithOptions({ args: ['v2'], delay: '1m' })
    await broker.assertSent(save, ['v2'], { count: 1 })
    broker.refuteSent(save, ['v1'])
    await broker.drain()
    t.same(saved, ['v2'])
    await broker.perform(save, ['v3'])
    broker.faults.failNextAck()
    await save.send('v4')
    await broker.drain()
    t.same(saved, ['v2', 'v3', 'v4', 'v4'])
    t.equal((await save.send('v5')).deduplicated, false, 'the lock was freed in the end')
  },
)

t.test('waitFor resolves with how the next message of the actor ended', async (t) => {
  const { broker, actor } = open(t)
  const job = flaky({ actor }, 2, { maxRetries: 5, minBackoff: '1m' })
  await job.send('ada')
  t.match(await broker.waitFor(job, 'retried'), { decision: 'retry', delay: 60_000, error: Refused, attempt: 1 })
  const second = broker.waitFor(job, 'failed')
  t.match(await second, { attempt: 1 }, 'the same end is a failure, too')
  const done = broker.waitFor(job, 'succeeded', { within: '30s' })
  await broker.advance('3m')
  t.match(await done, { decision: 'ack', result: { name: 'ada', attempt: 3 }, message: { args: ['ada'] } })
  t.match(await broker.waitFor(job, 'retried'), { attempt: 2 }, 'the next one, which has happened already')
})

t.test('waitFor tells what happened instead', async (t) => {
  const { broker, actor } = open(t)
  const job = flaky({ actor }, 9, { minBackoff: '1m' })
  await t.rejects(broker.waitFor(job, 'succeeded', { within: 1 }), {
    message: /No message of flaky9 has ended\.\nLeft/,
  })
  await job.send('ada')
  await t.rejects(broker.waitFor(job, 'dead-lettered', { within: 200 }), {
    message:
      /^Expected a message of flaky9 to be dead-lettered within 200 ms\. What happened:\n {2}flaky9\("ada"\) retried: Refused: ada is refused, again in 60000 ms\nLeft in the queues: 0 ready, 0 in flight, 1 delayed \(the first by \d+ ms: advance\(\) or drain\(\)\)\.$/,
  })
})

t.test('nothing runs between two calls', async (t) => {
  const { broker, actor } = open(t)
  let runs = 0
  const job = actor(async () => void runs++, { actorName: 'job' })
  await job.send()
  await broker.drain()
  t.equal(runs, 1)
  await job.send()
  await job.sendWithOptions({ delay: 1 })
  await new Promise((resolve) => setTimeout(resolve, 20))
  t.equal(runs, 1)
  t.match(await broker.stats('default'), { ready: 2, inFlight: 0 })
  await broker.join('default')
  t.equal(runs, 3)
})

t.test('a result that is awaited runs its message, in an actor as well', async (t) => {
  const { broker, actor } = open(t)
  const add = actor((a: number, b: number) => a + b, { actorName: 'add', storeResults: true })
  const twice = actor(async (a: number) => (await add.send(a, a)).result(), { actorName: 'twice' })
  t.equal(await (await add.send(1, 2)).result(), 3)
  t.equal(await broker.perform(twice, [4]), 8)
})

t.test('a worker of the test runs messages at once, on threads, and instead of the one on demand', async (t) => {
  const { broker } = open(t)
  setBroker(broker)
  const { onThread } = await import('../support/actors/test-broker.js')
  const modules = [new URL('../support/actors/test-broker.ts', import.meta.url).href]
  const worker = new Worker(broker, { threads: 1, modules })
  await worker.start()
  const message = await onThread.send(2)
  t.match(await broker.waitFor(onThread, 'succeeded', { within: '20s' }), { result: true })
  t.equal(await message.result(), true)
  await broker.drain({ within: '20s' })
  await broker.assertSent(onThread, [0], { count: 1 })
  t.same(
    broker.sent.map(({ message }) => message.args),
    [[2], [1], [0]],
  )
  await worker.stop()
  await onThread.send(0)
  t.match(await broker.waitFor(onThread, 'succeeded'), { message: { args: [1] } })
  await broker.drain()
  t.match(broker.sent.length, 4)
})

t.test('with a concurrency of 1 messages run one after the other, in their order', async (t) => {
  const { broker, actor } = open(t, { concurrency: 1 })
  const steps: string[] = []
  const job = actor(
    async (name: string) => {
      steps.push(`${name} starts`)
      await new Promise(setImmediate)
      steps.push(`${name} ends`)
    },
    { actorName: 'job' },
  )
  await job.sendMany([['a'], ['b']])
  await broker.drain()
  t.same(steps, ['a starts', 'a ends', 'b starts', 'b ends'])
})

t.test('a message that runs when the broker is closed ends, and so does perform', async (t) => {
  const { broker, actor } = open(t)
  const endless = actor(() => new Promise<void>(() => {}), { actorName: 'endless' })
  await endless.send()
  const waits = [
    t.rejects(broker.perform(endless, []), BrokerClosed),
    t.rejects(broker.drain({ within: '1h' }), BrokerClosed),
  ]
  await new Promise(setImmediate)
  await broker.close()
  await Promise.all(waits)
  await t.rejects(broker.perform(endless, []), BrokerClosed)
})
