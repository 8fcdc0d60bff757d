/** The status, the progress and the log of messages, on every broker; actors inline. Threads: status-threads.test.ts. */
import { current, type MessageStatus } from '../../lib/index.js'
import { Message } from '../../lib/message.js'
import { onEachBroker } from '../support/each-broker.js'
import { gate, until } from '../support/memory.js'
import { ended, running } from '../support/status.js'

const quick = { minBackoff: 1, maxBackoff: 1, jitter: false } as const

await onEachBroker((ask) => {
  ask('a message is queued, running, and then has succeeded', async ({ t, broker, ...s }) => {
    const ending = gate()
    const job = s.actor(async () => ending.opened, { actorName: 'job', trackStatus: true, maxRetries: 3 })
    const before = broker.clock.now()
    const message = await job.send()
    const queued = await message.status()
    const { messageId } = message
    const attempts = { attempt: 1, maxAttempts: 4 }
    t.match(queued, { state: 'queued', messageId, actorName: 'job', queueName: 'default', ...attempts })
    t.ok((queued.queuedAt as number) >= before)
    t.same(await s.another().status(messageId), queued, 'another process needs no more than the id')
    await s.work()
    const run = await running({ broker }, message)
    t.match(run, { state: 'running', queuedAt: queued.queuedAt, ...attempts, worker: new RegExp(`:${process.pid}$`) })
    t.ok((run.startedAt as number) >= (queued.queuedAt as number))
    ending.open()
    const end = await ended({ broker }, message)
    t.match(end, { ...run, state: 'succeeded' })
    t.ok((end.endedAt as number) >= (end.startedAt as number))
    t.equal(end.error, undefined)
  })

  ask('a message that is not tracked is unknown, and so is one that nobody sent', async ({ t, broker, ...s }) => {
    const job = s.actor(
      () => {
        current().progress(0.5)
        current().log('unheard')
      },
      { actorName: 'job' },
    )
    const message = await job.send()
    const unknown = { state: 'unknown', messageId: message.messageId }
    t.same(await message.status(), unknown)
    await s.work()
    await broker.join('default')
    t.same(await message.status(), unknown)
    t.same(await message.logs(), [])
    t.same(await broker.statuses([message.messageId, 'nobody']), [unknown, { state: 'unknown', messageId: 'nobody' }])
    t.same(await message.progress().next(), { done: true, value: unknown }, 'following it ends at once')
  })

  ask('the sender, the actor or the message may ask for it', async ({ t, broker, ...s }) => {
    const job = s.actor(() => {}, { actorName: 'job' })
    const asked = await job.sendWithOptions({ args: [], trackStatus: true, delay: '1h' })
    t.match(asked.options, { track_status: true })
    const status = await asked.status()
    t.match(status, { state: 'delayed', attempt: 1 })
    t.equal((status.dueAt as number) - (status.queuedAt as number), 3_600_000)
    const tracked = s.actor(() => {}, { actorName: 'tracked', trackStatus: true })
    t.equal((await (await tracked.sendWithOptions({ args: [], trackStatus: false })).status()).state, 'unknown')
    const many = await tracked.sendMany([[], [], []])
    const statuses = await broker.statuses(many.map(({ messageId }) => messageId))
    t.same(
      statuses.map(({ state }) => state),
      ['queued', 'queued', 'queued'],
    )
    // As from Python, which doesn't know the option.
    const foreign = new Message({ queueName: 'default', actorName: 'tracked', args: [] })
    await broker.enqueue(foreign)
    t.equal((await broker.status(foreign.messageId)).state, 'unknown')
    await s.work()
    t.match(await ended({ broker }, foreign), { state: 'succeeded', queuedAt: foreign.messageTimestamp })
  })

  ask('a failed attempt says when the next one is due', async ({ t, ...s }) => {
    const job = s.actor(
      () => {
        throw new RangeError('no')
      },
      { actorName: 'job', trackStatus: true, maxRetries: 2, minBackoff: '1h', jitter: false },
    )
    const message = await job.send()
    await s.work()
    await until(async () => (await message.status()).state === 'retrying', 'the retry')
    const { dueAt = 0, startedAt = 0, ...status } = await message.status()
    t.match(status, { attempt: 1, maxAttempts: 3, error: { type: 'RangeError', message: 'no' } })
    t.ok(dueAt - startedAt >= 3_600_000)
  })

  ask('the progress is coalesced, and the last one is always there', async ({ t, broker, ...s }) => {
    const writes: unknown[] = []
    const state = broker.state as NonNullable<typeof broker.state>
    const apply = state.apply.bind(state)
    state.apply = async (changes) => {
      writes.push(changes)
      return apply(changes)
    }
    const job = s.actor(
      async () => {
        for (let step = 1; step <= 2000; step++) {
          current().progress(step / 2000, { note: `step ${step}` })
          if (step % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 4))
        }
      },
      { actorName: 'job', trackStatus: true },
    )
    await s.work()
    const message = await job.send()
    const seen: number[] = []
    const notes: (string | undefined)[] = []
    const progress = message.progress({ timeout: '20s' })
    let end: MessageStatus | undefined
    while (!end) {
      const { done, value } = await progress.next()
      if (done) end = value
      else {
        seen.push(value.progress)
        notes.push(value.note)
      }
    }
    t.match(end, { state: 'succeeded', progress: 1, note: 'step 2000' })
    t.equal(seen.at(-1), 1)
    t.equal(notes.at(-1), 'step 2000')
    t.same(seen, seen.toSorted(), 'in their order')
    const lasted = (end.endedAt as number) - (end.startedAt as number)
    t.ok(writes.length <= lasted / 100 + 3, `${writes.length} writes in ${lasted} ms`)
  })

  ask('the newest lines of the log are kept, over all attempts', async ({ t, broker, ...s }) => {
    let attempts = 0
    const job = s.actor(
      async () => {
        attempts++
        for (let line = 1; line <= 70; line++) current().log(`${attempts}.${line}`)
        if (attempts === 1) throw new Error('no')
      },
      { actorName: 'job', trackStatus: true, ...quick },
    )
    await s.work()
    const message = await job.send()
    await ended({ broker }, message)
    const lines = await message.logs()
    t.equal(lines.length, 100)
    t.same([lines[0]?.text, lines[29]?.text, lines[30]?.text, lines[99]?.text], ['1.41', '1.70', '2.1', '2.70'])
    t.ok((lines[99]?.at as number) >= (lines[0]?.at as number))
    t.same(await s.another().logs(message.messageId), lines)
    const long = s.actor(() => void Array.from({ length: 30 }, () => current().log('x'.repeat(9000))), {
      actorName: 'long',
      trackStatus: true,
    })
    const second = await long.send()
    await ended({ broker }, second)
    const size = Buffer.byteLength(JSON.stringify(await second.logs()))
    t.ok(size > 50_000 && size < 66_000, `${size} bytes`)
  })

  ask('a replaced message has its new due time, and its id keeps its status', async ({ t, ...s }) => {
    const job = s.actor((_: number) => {}, {
      actorName: 'job',
      trackStatus: true,
      unique: { key: 'one', onDuplicate: 'replace' },
    })
    const first = await job.sendWithOptions({ args: [1], delay: '1h' })
    const second = await job.sendWithOptions({ args: [2], delay: '2h' })
    t.equal(second.deduplicated, 'replaced')
    const { state, dueAt = 0, queuedAt = 0 } = await first.status()
    t.same([state, dueAt - queuedAt], ['delayed', 7_200_000])
  })

  ask('a message that is sent with a settlement is queued by it', async ({ t, broker, ...s }) => {
    const report = s.actor((_: unknown) => {}, { actorName: 'report', trackStatus: true, queueName: 'other' })
    const job = s.actor(() => 1, { actorName: 'job' })
    const next = report.messageWithOptions({ args: [] as never })
    await job.sendWithOptions({ args: [], options: { pipe_target: next.toWire() } })
    await s.work({ queues: ['default'] })
    await broker.join('default')
    t.match(await broker.status(next.messageId), { state: 'queued', actorName: 'report' })
  })
})
