import t from 'tap'
import { current } from '../../lib/current.js'
import { Shutdown } from '../../lib/errors.js'
import { ShutdownNotifications } from '../../middleware/shutdown-notifications.js'
import { stage, until } from '../support/memory.js'

t.test('with notifyShutdown the signal of an actor aborts immediately; what it then returns counts', async (t) => {
  const { actor, broker, work } = stage(t)
  const job = actor(
    async () => {
      const { signal } = current()
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      return signal.reason instanceof Shutdown
    },
    { actorName: 'job', notifyShutdown: true, storeResults: true },
  )
  const worker = await work()
  const message = await job.send()
  await until(() => [...worker.messages].length === 1)
  await worker.stop({ timeout: '1h' })
  t.equal(await message.result(), true)
  t.match(await broker.stats('default'), { ready: 0, inFlight: 0, dead: 0 })
})

for (const [what, fail, stats] of [
  ['the reason', (signal: AbortSignal) => signal.reason, { ready: 1, dead: 0 }],
  [
    'an error caused by it',
    (signal: AbortSignal) => new Error('gave up', { cause: signal.reason }),
    { ready: 1, dead: 0 },
  ],
  ['an AbortError', () => new DOMException('aborted', 'AbortError'), { ready: 1, dead: 0 }],
  ['an error of its own', () => new TypeError('a real one'), { ready: 0, dead: 1 }],
] as const) {
  t.test(`a notified actor that throws ${what} ${stats.ready ? 'is requeued, uncounted' : 'fails'}`, async (t) => {
    const { actor, broker, work } = stage(t)
    const job = actor(
      async () => {
        const { signal } = current()
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        throw fail(signal)
      },
      { actorName: 'job', maxRetries: 0 },
    )
    broker.use(new ShutdownNotifications({ notifyShutdown: true }))
    const worker = await work()
    await job.send()
    await until(() => [...worker.messages].length === 1)
    await worker.stop({ timeout: '1h' })
    t.match(await broker.stats('default'), { ...stats, inFlight: 0 })
    if (stats.ready === 0) return
    const consumer = broker.consume('default')
    t.match(await consumer.take(1), [{ deliveryCount: 1 }])
  })
}

t.test('without it the signal of an actor aborts only at the end of the shutdown', async (t) => {
  const { actor, work } = stage(t)
  let told = false
  let end: () => void = () => {}
  const job = actor(
    async () => {
      current().signal.addEventListener('abort', () => {
        told = true
      })
      await new Promise<void>((resolve) => {
        end = resolve
      })
    },
    { actorName: 'job' },
  )
  const worker = await work()
  await job.sendWithOptions({ notifyShutdown: false })
  await until(() => [...worker.messages].length === 1)
  const stopping = worker.stop({ timeout: '1h' })
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
  t.equal(told, false)
  end()
  await stopping
  t.equal(told, false)
})
