import t from 'tap'
import { openTestBroker } from '../support/test-broker.js'

t.test('a callback to an unknown actor is logged, and does not affect the message', async (t) => {
  const { actor, broker, log } = openTestBroker(t)
  const failed = new Error('no')
  const job = actor((fail: boolean) => (fail ? Promise.reject(failed) : 7), {
    actorName: 'job',
    maxRetries: 0,
    onSuccess: 'nobody',
    onFailure: 'nobody',
    onRetryExhausted: 'nobody',
  })
  t.equal(await broker.perform(job, [false]), 7)
  await t.rejects(broker.perform(job, [true]), failed)
  const said = log
    .filter(({ text }) => /No actor named "nobody", which is the/.test(text))
    .map(({ text }) => /is the (\w+) of/.exec(text)?.[1])
  t.same(said, ['onSuccess', 'onFailure', 'onRetryExhausted'])
  t.match(await broker.stats('default'), { ready: 0, dead: 1 })
})

t.test(
  'callbacks of the message take precedence over those of the actor; a callback gets null if there is no result',
  async (t) => {
    const { actor, broker } = openTestBroker(t)
    const noteOne = actor(async (_message: object, _result: unknown) => {}, { actorName: 'one' })
    const noteTwo = actor(async (_message: object, _result: unknown) => {}, { actorName: 'two' })
    const job = actor(async () => {}, { actorName: 'job', onSuccess: noteOne })
    await job.send()
    await broker.drain()
    await broker.assertSent(noteOne, [undefined, null], { count: 1 })
    broker.refuteSent(noteTwo)
    await job.sendWithOptions({ onSuccess: noteTwo })
    await broker.drain()
    await broker.assertSent(noteOne, [], { count: 1 })
    await broker.assertSent(noteTwo, [undefined, null], { count: 1 })
  },
)

t.test('a result that can not be passed to the callback fails the message', async (t) => {
  const { actor, broker } = openTestBroker(t)
  const note = actor(async () => {}, { actorName: 'note' })
  const job = actor(() => new Map(), { actorName: 'job', onSuccess: note })
  await job.send()
  await t.rejects(broker.drain(), { message: /job\(\): .*result is a Map/ })
  broker.refuteSent(note)
})

t.test('a skipped message has no callbacks', async (t) => {
  const { actor, broker } = openTestBroker(t)
  const note = actor(async () => {}, { actorName: 'note' })
  const job = actor(async () => {}, { actorName: 'job', onSuccess: note, onFailure: note, maxAge: 1 })
  await job.sendWithOptions({ delay: '1m' })
  await t.rejects(broker.drain(), { message: /job\(\): Message age limit exceeded/ })
  broker.refuteSent(note)
})

t.test('a message that runs again because its acknowledgement was lost has one callback', async (t) => {
  const { actor, broker } = openTestBroker(t)
  const note = actor(async (_message: object, _result: unknown) => {}, { actorName: 'note' })
  let runs = 0
  const job = actor(async () => ++runs, { actorName: 'job', onSuccess: note })
  broker.faults.failNextAck()
  await job.send()
  await broker.drain()
  await broker.assertSent(note, [{ actor_name: 'job' }, 2], { count: 1 })
})
