/** The ends of tracked messages, and what must not change them, on every broker. */
import { current, SkipMessage, type Worker } from '../../lib/index.js'
import { statusKey } from '../../lib/status/status.js'
import { onEachBroker } from '../support/each-broker.js'
import { gate, until } from '../support/memory.js'
import { ended, running } from '../support/status.js'

const quick = { minBackoff: 1, maxBackoff: 1, jitter: false } as const

await onEachBroker((ask) => {
  ask('the status is followed to an end that agrees with the result', async ({ t, broker, ...s }) => {
    const failing = gate()
    const states: string[] = []
    let attempts = 0
    const job = s.actor(
      async () => {
        if (++attempts === 1) await failing.opened
        throw new RangeError(`attempt ${attempts}`)
      },
      { actorName: 'job', trackStatus: true, storeResults: true, maxRetries: 1, ...quick },
    )
    const message = await job.send()
    const starting = gate<Worker>()
    const following = (async () => {
      for await (const { state, attempt, error } of broker.watchStatus(message.messageId)) {
        states.push(`${state} ${attempt}${error ? ` ${error.message}` : ''}`)
        if (state === 'queued') starting.open(await s.work())
        if (state === 'running') failing.open()
      }
    })()
    await t.rejects(message.result({ timeout: '20s' }), /RangeError: attempt 2/)
    await following
    t.same(states[0], 'queued 1')
    t.same(states[1], 'running 1')
    t.same(states.at(-1), 'failed 2 attempt 2')
    const { error, maxAttempts } = await message.status()
    t.same(error, { type: 'RangeError', message: 'attempt 2' })
    t.equal(maxAttempts, 2)
    const worker = await starting.opened
    await worker.stop()
    const [letter] = (await broker.deadLetters('default')).letters
    await broker.requeueDeadLetter(letter?.id as string)
    t.match(await message.status(), { state: 'queued', attempt: 1, error: undefined })
  })

  ask('a skipped message has succeeded, with the reason', async ({ t, broker, ...s }) => {
    broker.use({
      name: 'skips',
      beforeProcessMessage: () => {
        throw new SkipMessage('not today')
      },
    })
    const job = s.actor(() => {}, { actorName: 'job', trackStatus: true, storeResults: true })
    const message = await job.send()
    await s.work()
    t.match(await ended({ broker }, message), { state: 'succeeded', skipped: 'not today' })
    t.equal(await message.result(), null)
  })

  ask('a message that is cancelled says so, whether it runs or waits', async ({ t, broker, ...s }) => {
    const job = s.actor(
      async () => {
        current().progress(0.5)
        await new Promise((_, reject) => {
          current().signal.addEventListener('abort', () => reject(current().signal.reason))
        })
      },
      { actorName: 'job', trackStatus: true, storeResults: true },
    )
    await s.work()
    const waiting = await job.sendWithOptions({ args: [], delay: '1h' })
    const message = await job.send()
    await running({ broker }, message)
    await message.cancel({ reason: 'too late' })
    await waiting.cancel({ reason: 'too late' })
    const error = { type: 'CancelledError', message: /too late/ }
    t.match(await ended({ broker }, message), { state: 'cancelled', attempt: 1, progress: 0.5, error })
    await t.rejects(message.result(), { message: /CancelledError/ })
    const { startedAt, ...end } = await ended({ broker }, waiting)
    t.match(end, { state: 'cancelled', error, dueAt: undefined })
    t.equal(startedAt, undefined)
    t.equal(await message.cancel(), 'finished')
  })

  ask('a message that is flushed is cancelled', async ({ t, broker, ...s }) => {
    const job = s.actor(() => {}, { actorName: 'job', trackStatus: true })
    const messages = [await job.send(), await job.sendWithOptions({ args: [], delay: '1h' })]
    await broker.flush('default')
    for (const message of messages) {
      t.match(await message.status(), { state: 'cancelled', dueAt: undefined })
    }
  })

  ask('a message that runs when the worker stops is queued again', async ({ t, broker, ...s }) => {
    const job = s.actor(
      async () => {
        current().progress(0.5)
        await new Promise((_, reject) => {
          current().signal.addEventListener('abort', () => reject(current().signal.reason))
        })
      },
      { actorName: 'job', trackStatus: true },
    )
    const message = await job.send()
    const worker = await s.work()
    const { queuedAt } = await running({ broker }, message)
    await worker.stop({ timeout: 0 })
    const status = await message.status()
    t.match(status, { state: 'queued', attempt: 1, queuedAt })
    t.same([status.startedAt, status.progress], [undefined, undefined])
  })

  ask('a late write of a run never overwrites what came after', async ({ t, broker, ...s }) => {
    const ending = gate()
    const job = s.actor(
      async () => {
        current().progress(0.1)
        await ending.opened
        current().progress(0.9)
        await new Promise((resolve) => setTimeout(resolve, 150))
      },
      { actorName: 'job', trackStatus: true },
    )
    await s.work()
    const message = await job.send()
    await running({ broker }, message)
    // As another worker would, to which the message was given.
    const other = JSON.stringify({ state: 'succeeded', attempt: 2 })
    await broker.state?.apply([{ kind: 'set', key: statusKey(message.messageId), value: other }])
    const values = new Set<string | undefined>()
    ending.open()
    await until(async () => {
      const [value] = (await broker.state?.read([statusKey(message.messageId)])) ?? []
      values.add(value)
      return value !== other
    })
    t.equal(values.size, 2, 'only the settlement, which holds the message, may')
    t.match(await message.status(), { state: 'succeeded', attempt: 1, progress: 0.9 })
  })

  ask('a record is kept for its time to live after the end', async ({ t, broker, ...s }) => {
    const job = s.actor(() => current().log('one'), { actorName: 'job', trackStatus: true, statusTtl: 300 })
    const message = await job.send()
    await s.work()
    await ended({ broker }, message)
    await until(async () => (await message.status()).state === 'unknown', 'the record to expire')
    await until(async () => (await message.logs()).length === 0, 'the log to expire')
  })
})
