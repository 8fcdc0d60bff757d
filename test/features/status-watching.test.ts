/** Following messages, on every broker: how an iteration begins and ends, and what it takes. */
import { Redis } from 'ioredis'
import { t } from 'tap'
import { RedisBroker } from '../../brokers/redis/index.js'
import { actor, current, type MessageStatus, type Progress, Worker } from '../../lib/index.js'
import { watchStatus } from '../../lib/status/watching.js'
import { onEachBroker } from '../support/each-broker.js'
import { captureLog } from '../support/log.js'
import { gate, until } from '../support/memory.js'
import { withRedis } from '../support/redis-server.js'

await onEachBroker((ask) => {
  ask('another process sees each progress, and the end', async ({ t, ...s }) => {
    const steps = [gate(), gate(), gate()]
    const job = s.actor(
      async () => {
        for (const [index, step] of steps.entries()) {
          current().progress(index / 4, { note: `step ${index}` })
          await step.opened
        }
      },
      { actorName: 'job', trackStatus: true },
    )
    const { messageId } = await job.send()
    await s.work()
    const seen: (string | undefined)[] = []
    for await (const { note, at } of s.another().progress(messageId)) {
      seen.push(note)
      t.ok(at > 0)
      steps[seen.length - 1]?.open()
    }
    t.same(seen, ['step 0', 'step 1', 'step 2'])
    // One that begins after the end has the last value, and the end.
    const late = s.another().progress(messageId)
    t.match(await late.next(), { done: false, value: { progress: 0.5, note: 'step 2' } })
    t.match(await late.next(), { done: true, value: { state: 'succeeded' } })
  })

  ask('an unknown message is awaited for the timeout', async ({ t, broker, ...s }) => {
    t.match(await broker.progress('nobody', { timeout: 20 }).next(), { done: true, value: { state: 'unknown' } })
    const job = s.actor(() => current().progress(1), { actorName: 'job', trackStatus: true })
    const message = job.message()
    const first = broker.watchStatus(message.messageId, { timeout: '20s' }).next()
    await broker.enqueue(message)
    t.match(await first, { done: false, value: { state: 'queued' } })
  })

  ask('a signal ends it with its reason, and the caller by leaving', async ({ t, broker, ...s }) => {
    const job = s.actor(() => {}, { actorName: 'job', trackStatus: true })
    const { messageId } = await job.send()
    const aborting = new AbortController()
    const aborted = broker.progress(messageId, { signal: aborting.signal }).next()
    aborting.abort(new RangeError('enough'))
    await t.rejects(aborted, { name: 'RangeError', message: 'enough' })
    await t.rejects(broker.progress(messageId, { signal: AbortSignal.abort() }).next(), { name: 'AbortError' })
    // As a stream does that is cancelled while it waits for more.
    const left = broker.progress(messageId)
    const waiting = left.next()
    await left.return(undefined as never)
    t.same(await waiting, { done: true, value: undefined })
    for await (const status of broker.watchStatus(messageId)) {
      t.equal(status.state, 'queued')
      break
    }
  })

  ask('an iteration that has ended watches nothing', async ({ t, broker, ...s }) => {
    let watches = 0
    const state = broker.state as NonNullable<typeof broker.state>
    const watch = state.watch.bind(state)
    state.watch = (key, listener) => {
      if (!key.startsWith('status:')) return watch(key, listener)
      watches++
      const stop = watch(key, listener)
      return () => {
        watches--
        stop()
      }
    }
    const job = s.actor(() => {}, { actorName: 'job', trackStatus: true })
    const { messageId } = await job.send()
    const aborting = new AbortController()
    const ends = [
      watchStatus(state, messageId).next(),
      watchStatus(state, messageId, { signal: aborting.signal }).next(),
    ]
    await Promise.all(ends)
    for await (const _ of watchStatus(state, messageId)) break
    t.equal(watches, 2, 'those that go on')
    const followed = broker.progress(messageId)
    const end = followed.next()
    t.equal(watches, 3)
    await s.work()
    await end
    t.equal(watches, 2)
  })

  ask('what is wrong is said at once', async ({ t, broker }) => {
    await t.rejects(broker.status(''), { message: /Expected "messageId" to be the id of a message/ })
    await t.rejects(broker.statuses('one' as never), { message: /"messageIds" to be an array/ })
    t.throws(() => broker.progress(7 as never), { message: /"messageId"/ })
    t.throws(() => broker.progress('one', { timeout: 'soon' as never }), { message: /"timeout" to be a duration/ })
    t.throws(() => broker.watchStatus('one', { every: 1 } as never), { message: /every/ })
  })
})

t.test('a report must be a number from 0 to 1, also of a message that is not tracked', async (t) => {
  const job = actor(
    (value: number, note: string) => {
      current().progress(value, { note })
      current().log(note)
    },
    { actorName: 'job' },
  )
  job(0, 'x')
  job(1, 'x')
  for (const value of [-0.1, 1.1, Number.NaN, '1']) {
    t.throws(() => job(value as number, 'x'), { message: /Expected "progress" to be a number from 0 to 1/ })
  }
  t.throws(() => job(0, 1 as never), { message: /Expected "note" to be a text; got 1/ })
})

await withRedis((server) => {
  t.test('a hundred who follow messages share one subscribed connection', async (t) => {
    captureLog()
    const broker = new RedisBroker({ url: server.url })
    const redis = new Redis(server.url)
    t.teardown(() => Promise.all([broker.close(), redis.quit()]))
    const connections = async (): Promise<number> => `${await redis.client('LIST')}`.trim().split('\n').length
    const job = actor(async () => current().progress(0.5), { actorName: 'shared', trackStatus: true, broker })
    const messages = await job.sendMany(Array.from({ length: 100 }, () => []))
    const before = await connections()
    const follow = async (messageId: string): Promise<[Progress[], MessageStatus]> => {
      const seen: Progress[] = []
      const progress = broker.progress(messageId)
      for (;;) {
        const { done, value } = await progress.next()
        if (done) return [seen, value]
        seen.push(value)
      }
    }
    const following = messages.map(({ messageId }) => follow(messageId))
    const channels = async (): Promise<number> => ((await redis.call('PUBSUB', 'CHANNELS')) as unknown[]).length
    await until(async () => (await channels()) >= 100, 'all subscriptions')
    t.ok((await connections()) - before <= 1)
    const worker = new Worker(broker, { threads: 0 })
    await worker.start()
    for (const [seen, end] of await Promise.all(following)) {
      t.equal(seen.at(-1)?.progress, 0.5)
      t.equal(end.state, 'succeeded')
    }
    await worker.stop()
    await until(async () => (await channels()) === 0, 'the subscriptions to end')
  })
})
