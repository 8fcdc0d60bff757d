/** Unusual ends of unique messages, on every broker: each frees its key. */
import { group } from '../../lib/composition/group.js'
import { pipeline } from '../../lib/composition/pipeline.js'
import { onEachBroker } from '../support/each-broker.js'
import { gate, until } from '../support/memory.js'

await onEachBroker((ask) => {
  ask('until "started", a message that never starts frees its key', async ({ t, broker, ...s }) => {
    const job = s.actor((_: number) => {}, { actorName: 'job', unique: { until: 'started' }, maxAge: 1 })
    const first = await job.send(1)
    await until(() => Date.now() > first.messageTimestamp + 5, 'the message is too old')
    await s.work()
    await broker.join('default')
    t.equal((await broker.stats('default')).dead, 1)
    t.equal((await job.sendWithOptions({ args: [1], delay: '1h' })).deduplicated, false)
  })

  ask('a unique message that follows a step replaces the one that waits', async ({ t, broker, ...s }) => {
    const texts: string[] = []
    const step = s.actor((text: string) => text, { actorName: 'step' })
    const last = s.actor((text: string) => void texts.push(text), {
      actorName: 'last',
      queueName: 'later',
      unique: { key: 'one', onDuplicate: 'replace' },
    })
    await s.work({ queues: ['default'] })
    await pipeline([step.message('a'), last.message()]).run()
    await broker.join('default')
    await pipeline([step.message('b'), last.message()]).run()
    await broker.join('default')
    t.same(await broker.stats('later'), { ready: 1, delayed: 0, inFlight: 0, dead: 0 })
    await s.work({ queues: ['later'] })
    await broker.join('later')
    t.same(texts, ['b'])
  })

  ask('a unique message that is too large to follow a step leaves no lock', async ({ t, broker, ...s }) => {
    const step = s.actor((length: number) => 'x'.repeat(length), { actorName: 'step' })
    const last = s.actor((_: string) => {}, { actorName: 'last', unique: { key: 'one' } })
    await s.work()
    await pipeline([step.message(1_100_000), last.message()]).run()
    await broker.join('default')
    t.equal((await last.send('x')).deduplicated, false)
    await broker.join('default')
  })

  ask('a completion callback is unique, too', async ({ t, broker, ...s }) => {
    const ending = gate()
    let runs = 0
    const job = s.actor(() => {}, { actorName: 'job' })
    const report = s.actor(
      async () => {
        runs++
        await ending.opened
      },
      { actorName: 'report', unique: { key: 'one' } },
    )
    await s.work()
    await report.send()
    await until(() => runs === 1)
    const jobs = group([job.message()], { onComplete: report.message() })
    await jobs.run()
    t.equal(await jobs.wait(), 'completed')
    ending.open()
    await broker.join('default')
    t.equal(runs, 1)
  })
})
