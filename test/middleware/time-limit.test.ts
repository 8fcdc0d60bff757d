import t from 'tap'
import { current } from '../../lib/current.js'
import { TimeLimit } from '../../middleware/time-limit.js'
import { failure, stage, until } from '../support/memory.js'

for (const [what, own, actorOptions, plugin, limit] of [
  ['10 minutes by default', {}, {}, {}, 600_000],
  ['the plugin’s', {}, {}, { timeLimit: '1m' }, 60_000],
  ['the actor’s before the plugin’s', {}, { timeLimit: '2m' }, { timeLimit: '1m' }, 120_000],
  ['the message’s before the actor’s', { timeLimit: '3m' }, { timeLimit: '2m' }, {}, 180_000],
] as const) {
  t.test(`the time limit is ${what}`, async (t) => {
    const { actor, broker, work } = stage(t)
    broker.use(new TimeLimit(plugin))
    const slow = actor(
      async () => {
        const { signal } = current()
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      },
      { actorName: 'slow', maxRetries: 0, storeResults: true, ...actorOptions },
    )
    const worker = await work()
    const message = await slow.sendWithOptions(own)
    await until(() => [...worker.messages].length === 1)
    await broker.advance(limit - 1000)
    t.equal([...worker.messages].length, 1, 'not before')
    await broker.advance(1500)
    await t.rejects(message.result({ timeout: '1h' }), failure('TimeLimitExceeded', `limit of ${limit} ms.`))
  })
}

t.test('null means no limit; 0 is refused', async (t) => {
  const { actor, broker, work } = stage(t)
  let end: (value: string) => void = () => {}
  const long = actor(
    () =>
      new Promise<string>((resolve) => {
        end = resolve
      }),
    { actorName: 'long', timeLimit: null, storeResults: true },
  )
  const worker = await work()
  const message = await long.send()
  await until(() => [...worker.messages].length === 1)
  await broker.advance('30d')
  end('done')
  t.equal(await message.result({ timeout: '1h' }), 'done')
  t.throws(() => actor(async () => {}, { actorName: 'none', timeLimit: 0 }), { message: /a duration over 0, or null/ })
  t.throws(() => new TimeLimit({ timeLimit: 0 }), { message: /a duration over 0, or null/ })
})

t.test('an actor that ignores the abort and returns still fails', async (t) => {
  const { actor, broker, work } = stage(t)
  const stubborn = actor(
    async () => {
      const { signal } = current()
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      return 'as if nothing had happened'
    },
    { actorName: 'stubborn', timeLimit: '1s', maxRetries: 0, storeResults: true },
  )
  const worker = await work()
  const message = await stubborn.send()
  await until(() => [...worker.messages].length === 1)
  await broker.advance('1100ms')
  await t.rejects(message.result({ timeout: '1h' }), failure('TimeLimitExceeded'))
})
