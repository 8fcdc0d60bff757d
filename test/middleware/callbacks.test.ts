import t from 'tap'
import { failure, stage } from '../support/memory.js'

t.test('a callback to an unknown actor is logged, and does not affect the message', async (t) => {
  const { actor, broker, log, work } = stage(t)
  const job = actor((fail: boolean) => (fail ? Promise.reject(new Error('no')) : 7), {
    actorName: 'job',
    storeResults: true,
    maxRetries: 0,
    onSuccess: 'nobody',
    onFailure: 'nobody',
    onRetryExhausted: 'nobody',
  })
  await work()
  t.equal(await (await job.send(false)).result(), 7)
  await t.rejects((await job.send(true)).result(), failure('Error', 'no'))
  await broker.join('default')
  const said = log
    .filter(({ text }) => /No actor named "nobody", which is the/.test(text))
    .map(({ text }) => /is the (\w+) of/.exec(text)?.[1])
  t.same(said, ['onSuccess', 'onFailure', 'onRetryExhausted'])
  t.match(await broker.stats('default'), { ready: 0, dead: 1 })
})

t.test(
  'callbacks of the message take precedence over those of the actor; a callback gets null if there is no result',
  async (t) => {
    const { actor, broker, work } = stage(t)
    const calls: unknown[] = []
    const noteOne = actor(async (_message: object, result: unknown) => void calls.push(['one', result]), {
      actorName: 'one',
    })
    const noteTwo = actor(async (_message: object, result: unknown) => void calls.push(['two', result]), {
      actorName: 'two',
    })
    const job = actor(async () => {}, { actorName: 'job', onSuccess: noteOne })
    await work({ concurrency: 1 })
    await job.send()
    await job.sendWithOptions({ onSuccess: noteTwo })
    await broker.join('default')
    t.same(calls, [
      ['one', null],
      ['two', null],
    ])
  },
)

t.test('a result that can not be passed to the callback fails the message', async (t) => {
  const { actor, broker, work } = stage(t)
  const note = actor(async () => {}, { actorName: 'note' })
  const job = actor(() => new Map(), { actorName: 'job', onSuccess: note })
  await work()
  await job.send()
  await broker.join('default')
  t.match((await broker.deadLetters('default')).letters, [{ reason: /result is a Map/ }])
})

t.test('a skipped message has no callbacks', async (t) => {
  const { actor, broker, work } = stage(t)
  let calls = 0
  const note = actor(async () => void calls++, { actorName: 'note' })
  const job = actor(async () => {}, { actorName: 'job', onSuccess: note, onFailure: note, maxAge: 1 })
  await job.sendWithOptions({ delay: '1m' })
  await work()
  await broker.advance('2m')
  t.match(await broker.stats('default'), { dead: 1, delayed: 0, ready: 0 })
  t.equal(calls, 0)
})
