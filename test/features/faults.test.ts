/** Groups and unique messages when something fails on the way, on every broker. */
import { ConnectionFailed } from '../../lib/errors.js'
import { group, pipeline } from '../../lib/index.js'
import type { Message } from '../../lib/message.js'
import { onEachBroker } from '../support/each-broker.js'
import { gate, until } from '../support/memory.js'

await onEachBroker((ask) => {
  ask('a copy of the last member sends nothing again', async ({ t, broker, ...s }) => {
    const reports: string[] = []
    const job = s.actor((_: number) => {}, { actorName: 'job' })
    const report = s.actor((text: string) => void reports.push(text), { actorName: 'report' })
    const last = job.message(2)
    const jobs = group([job.message(1), last], { onComplete: report.message('done') })
    await jobs.run()
    const stored: Message[] = []
    const consumer = broker.consume('default', { prefetch: 2 })
    const { Message } = await import('../../lib/message.js')
    for (const delivery of await consumer.take(2)) {
      stored.push(Message.decode(delivery.body))
      await consumer.requeue(delivery)
    }
    await consumer.close()
    await s.work({ concurrency: 1 })
    t.equal(await jobs.wait(), 'completed')
    await broker.join('default')
    // As a producer does that has learned nothing about its first send.
    await broker.enqueueMany(stored)
    await broker.enqueue(stored.find(({ messageId }) => messageId === last.messageId) as Message)
    await broker.join('default')
    t.equal(await jobs.completedCount(), 2)
    t.same(reports, ['done'])
  })

  ask('the last member is settled once its group can be read again', async ({ t, broker, ...s }) => {
    const reports: string[] = []
    const job = s.actor(() => {}, { actorName: 'job' })
    const report = s.actor((text: string) => void reports.push(text), { actorName: 'report' })
    const state = broker.stateFor('the test')
    const read = state.read.bind(state)
    let failures = 0
    state.read = async (keys) => {
      if (failures++ < 2) throw new ConnectionFailed('lost')
      return read(keys)
    }
    await s.work()
    const jobs = group([job.message()], { onComplete: report.message('done') })
    await jobs.run()
    await until(() => reports.length === 1, 'what follows the group')
    t.equal(await jobs.wait(), 'completed')
    await broker.join('default')
    t.ok(failures > 2)
    t.same(reports, ['done'])
  })

  ask('a member whose dead-lettering a plugin prevents has ended all the same', async ({ t, broker, ...s }) => {
    const job = s.actor(() => Promise.reject(new Error('no')), { actorName: 'job', maxRetries: 0, unique: true })
    broker.use({
      essential: true,
      beforeNack() {
        throw new Error('the plugin fails')
      },
    } as never)
    await s.work()
    const jobs = group([job.message()])
    await jobs.run()
    t.equal(await jobs.wait(), 'failed')
    await until(async () => (await broker.stats('default')).dead === 1)
    t.equal((await job.send()).deduplicated, false)
  })

  ask('of messages on a condition that does not hold, none is stored', async ({ t, broker, ...s }) => {
    const job = s.actor((_: number) => {}, { actorName: 'job' })
    const entries = [1, 2, 3].map((number) => ({ message: job.message(number) }))
    const once = [{ kind: 'set', key: 'once', expected: null, value: 'set' }] as const
    t.equal(await broker.enqueueWith(entries, once), undefined)
    t.match(await broker.enqueueWith(entries, once), { index: 0, value: 'set' })
    t.equal((await broker.stats('default')).ready, 3)
  })

  ask('groups that follow each other take no more space than their messages', async ({ t, broker, ...s }) => {
    const job = s.actor((_?: unknown) => 1, { actorName: 'job', pipeIgnore: true })
    const piped = pipeline(Array.from({ length: 16 }, () => group([job.message(), job.message()])) as never)
    await piped.run()
    const state = broker.stateFor('the test')
    const [first] = piped.steps as unknown as { id: string }[]
    const [record] = await state.read([`group:${first?.id}`])
    t.ok((record?.length ?? 0) < 32 * 1000, `${record?.length} characters`)
    await s.work()
    await broker.join('default')
    t.equal(await (piped.steps.at(-1) as unknown as { wait(): Promise<string> }).wait(), 'completed')
  })

  ask('a rerun that was promised runs, though the message before it is retried', async ({ t, broker, ...s }) => {
    const runs: string[] = []
    const failing = gate()
    const job = s.actor(
      async (text: string) => {
        runs.push(text)
        if (text === 'first' && runs.length === 1) {
          await failing.opened
          throw new Error('no')
        }
        return text
      },
      {
        actorName: 'job',
        storeResults: true,
        minBackoff: 400,
        maxBackoff: 400,
        jitter: false,
        unique: { key: 'one', onDuplicate: 'rerun' },
      },
    )
    const first = await job.send('first')
    await s.work()
    await until(() => runs.length === 1)
    const second = await job.send('second')
    failing.open()
    await until(async () => (await broker.stats('default')).delayed === 1, 'the retry')
    const third = await job.send('third')
    t.equal(third.messageId, second.messageId)
    t.equal(await first.result(), 'first')
    t.equal(await second.result(), 'third')
    t.same(runs, ['first', 'first', 'third'])
    await broker.join('default')
  })
})
