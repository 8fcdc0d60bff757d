/** Unusual ends of members of groups, on every broker: each counts, once, and no group waits for ever. */
import { group } from '../../lib/composition/group.js'
import { pipeline } from '../../lib/composition/pipeline.js'
import type { Message } from '../../lib/message.js'
import { onEachBroker } from '../support/each-broker.js'
import { gate, until } from '../support/memory.js'

await onEachBroker((ask) => {
  ask('a dead letter that is requeued after its group has ended sends nothing again', async ({ t, broker, ...s }) => {
    const reports: string[] = []
    let fails = true
    const job = s.actor(
      () => {
        if (fails) throw new Error('no')
      },
      { actorName: 'job', maxRetries: 0 },
    )
    const report = s.actor((text: string) => void reports.push(text), { actorName: 'report' })
    await s.work()
    const jobs = group([job.message()], { onComplete: report.message('done'), onFailure: report.message('failed') })
    await jobs.run()
    t.equal(await jobs.wait(), 'failed')
    await broker.join('default')
    fails = false
    const { letters } = await broker.deadLetters('default')
    t.equal(letters.length, 1)
    t.equal(await broker.requeueDeadLetter(letters[0]?.id as string), true)
    await broker.join('default')
    t.same(reports, ['failed'])
    t.equal(await jobs.completedCount(), 1)
    t.equal(await jobs.wait(), 'failed')
  })

  ask('a later step of a member that is deduplicated ends the member', async ({ t, broker, ...s }) => {
    const ending = gate()
    let runs = 0
    const first = s.actor(() => 1, { actorName: 'first' })
    const once = s.actor(
      async () => {
        runs++
        await ending.opened
      },
      { actorName: 'once', unique: { key: 'one' } },
    )
    await s.work()
    await once.send()
    await until(() => runs === 1)
    const jobs = group([pipeline([first.message(), once.message() as Message])])
    await jobs.run()
    t.equal(await jobs.wait({ timeout: 3000 }), 'completed')
    ending.open()
    await broker.join('default')
    t.equal(runs, 1)
  })

  ask('a member that another send replaces still counts for its group', async ({ t, broker, ...s }) => {
    const runs: string[] = []
    const job = s.actor((text: string) => void runs.push(text), {
      actorName: 'job',
      unique: { key: 'one', onDuplicate: 'replace' },
    })
    const first = group([job.message('a')])
    await first.run()
    const second = group([job.message('b')])
    await second.run()
    t.equal((await job.send('c')).deduplicated, 'replaced')
    await s.work()
    t.equal(await first.wait({ timeout: 3000 }), 'completed')
    t.equal(await second.wait({ timeout: 3000 }), 'completed')
    await broker.join('default')
    t.same(runs, ['c'])
  })

  ask('a group that misses its deadline has expired without onFailure, too', async ({ t, broker, ...s }) => {
    const reports: string[] = []
    const ending = gate()
    const job = s.actor(async () => ending.opened, { actorName: 'job' })
    const report = s.actor((text: string) => void reports.push(text), { actorName: 'report' })
    await s.work()
    const jobs = group([job.message()], { deadline: 50, onComplete: report.message('completed') })
    await jobs.run()
    t.equal(await jobs.wait({ timeout: 3000 }), 'expired')
    ending.open()
    await broker.join('default')
    t.same(reports, [])
  })

  ask('a group within a pipeline has its deadline', async ({ t, broker, ...s }) => {
    const reports: string[] = []
    const ending = gate()
    const first = s.actor(() => {}, { actorName: 'first' })
    const job = s.actor(async () => ending.opened, { actorName: 'job' })
    const report = s.actor((...texts: string[]) => void reports.push(...texts), { actorName: 'report' })
    await s.work()
    const inner = group([job.message() as Message], { deadline: 50, onFailure: report.message('late') })
    const outer = group([pipeline([first.message(), inner, report.message('after')] as never)])
    await outer.run()
    t.equal(await inner.wait({ timeout: 3000 }), 'expired')
    await until(() => reports.length > 0)
    t.same(reports, ['late'])
    ending.open()
    t.equal(await outer.wait({ timeout: 3000 }), 'failed')
    await broker.join('default')
    t.same(reports, ['late'])
  })

  ask('a wait for a group ends when its broker is closed', async ({ t, broker, ...s }) => {
    const job = s.actor(() => {}, { actorName: 'job' })
    const jobs = group([job.message()])
    await jobs.run()
    const waiting = jobs.wait({ timeout: '10m' })
    const rejected = t.rejects(waiting, { name: 'BrokerClosed' })
    await broker.close()
    await rejected
  })
})
