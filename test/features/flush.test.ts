/** Flushing ends what it removes: on every broker. */
import { group } from '../../lib/composition/group.js'
import { onEachBroker } from '../support/each-broker.js'
import { gate, until } from '../support/memory.js'

await onEachBroker((ask) => {
  ask('a flushed message frees its unique key, ready, delayed or running', async ({ t, broker, ...s }) => {
    const ending = gate()
    let runs = 0
    const job = s.actor(
      async (_: string) => {
        runs++
        await ending.opened
      },
      { actorName: 'job', unique: true },
    )
    await job.sendWithOptions({ args: ['delayed'], delay: '1h' })
    await s.work({ concurrency: 1 })
    await job.send('running')
    await until(() => runs === 1)
    await job.send('ready')
    for (const key of ['delayed', 'running', 'ready']) t.equal((await job.send(key)).deduplicated, 'skipped')
    await broker.flush('default')
    for (const key of ['delayed', 'running', 'ready']) t.equal((await job.send(key)).deduplicated, false, key)
    ending.open()
    await broker.join('default')
    t.equal(runs, 4)
  })

  ask('what would run after a flushed message goes with it', async ({ t, broker, ...s }) => {
    const ending = gate()
    const runs: string[] = []
    const job = s.actor(
      async (text: string) => {
        runs.push(text)
        if (text === 'first') await ending.opened
      },
      { actorName: 'job', unique: { key: 'one', onDuplicate: 'rerun' } },
    )
    await s.work()
    await job.send('first')
    await until(() => runs.length === 1)
    t.equal((await job.send('second')).deduplicated, 'rerun')
    await broker.flush('default')
    ending.open()
    t.equal((await job.send('third')).deduplicated, false)
    await broker.join('default')
    t.same(runs, ['first', 'third'])
  })

  ask('a group counts flushed members as failed', async ({ t, broker, ...s }) => {
    const reports: string[] = []
    const job = s.actor(() => {}, { actorName: 'job', queueName: 'jobs' })
    const report = s.actor((text: string) => void reports.push(text), { actorName: 'report', queueName: 'jobs' })
    const jobs = group([job.message(), job.message()], { onFailure: report.message('failed') })
    await jobs.run({ delay: '1h' })
    await broker.flush('jobs')
    t.equal(await jobs.wait(), 'failed')
    t.equal((await broker.stats('jobs')).ready, 1, 'what follows the group is not flushed')
    await s.work()
    await broker.join('jobs')
    t.same(reports, ['failed'])
  })

  ask('a flushed message with a tracked status is cancelled', async ({ t, broker, ...s }) => {
    const job = s.actor(() => {}, { actorName: 'job', trackStatus: true })
    const message = await job.send()
    t.equal((await message.status()).state, 'queued')
    await broker.flush('default')
    t.equal((await message.status()).state, 'cancelled')
  })
})
