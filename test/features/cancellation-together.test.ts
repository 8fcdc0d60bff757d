/** Messages that are cancelled together, on every broker: pipelines, groups, actors, queues. */

import { group } from '../../lib/composition/group.js'
import { pipeline } from '../../lib/composition/pipeline.js'
import type { Message } from '../../lib/message.js'
import { marks, noteOrRun, stored } from '../support/cancelled-jobs.js'
import { onEachBroker } from '../support/each-broker.js'
import { failure, gate, until } from '../support/memory.js'

await onEachBroker((ask) => {
  ask('a scope cancels all messages in it, and those that follow', async ({ t, broker, ...s }) => {
    const runs: string[] = []
    const started = gate()
    const job = noteOrRun(s, runs, started.open)
    const other = s.actor((name: string) => void runs.push(name), {
      actorName: 'other',
      queueName: 'others',
      ...stored,
    })
    const within = { options: { composition: { scopes: ['outer', 'inner'] } } }
    await s.work()
    const running = await job.sendWithOptions({ args: ['running'], ...within })
    await started.opened
    const delayed = await other.sendWithOptions({ args: ['delayed'], delay: '1h', ...within })
    const spared = await job.send('spared')
    t.match(await delayed.cancel({ cascade: true, reason: 'all' }), /^cancell(ed|ing)$/)
    for (const message of [running, delayed] as Message[])
      await t.rejects(message.result({ timeout: '20s' }), failure('CancelledError', 'all'))
    const late = await other.sendWithOptions({ args: ['late'], ...within })
    await t.rejects(late.result({ timeout: '20s' }), failure('CancelledError', 'all'))
    await spared.result()
    t.same(runs, ['running', 'spared'])
    for (const queueName of ['default', 'others']) await broker.join(queueName)
    t.same([...(await marks(broker))].sort(), ['inner', 'outer'])
  })

  ask('a pipeline and a group are cancelled with one of their messages, or by their ids', async (stage) => {
    const { t, broker, ...s } = stage
    const runs: string[] = []
    const started = gate()
    const job = noteOrRun(s, runs, started.open)
    const next = s.actor((_: unknown) => void runs.push('next'), { actorName: 'next', ...stored })
    await s.work()
    const members = group([job.message('running'), job.message('later')], { onFailure: next.message('failed') })
    await members.run({ delay: 1 })
    await started.opened
    const steps = pipeline([job.messageWithOptions({ args: ['first'] }), next.message()])
    await steps.run({ delay: '1h' })
    t.equal(await broker.cancel(steps.id), 'cancelled')
    await t.rejects(steps.result({ timeout: '20s' }), failure('CancelledError'))
    t.match(await broker.cancel(members.id), /^cancell(ed|ing)$/)
    await until(() => runs.includes('next'), 'the group to fail')
    await broker.join('default')
    t.same(
      runs.filter((name) => name !== 'later'),
      ['running', 'next'],
    )
  })

  ask('a failed member cancels others that wait for a retry', async ({ t, broker, ...s }) => {
    const failing = gate()
    const ends: string[] = []
    const alarm = s.actor(() => void ends.push('failed'), { actorName: 'alarm' })
    const later = s.actor(
      () => {
        throw new Error('again')
      },
      { actorName: 'later', minBackoff: '10h', maxBackoff: '10h' },
    )
    const bad = s.actor(
      async () => {
        await failing.opened
        throw new Error('bad')
      },
      { actorName: 'bad', maxRetries: 0 },
    )
    await s.work()
    const members = [later.message(), bad.message()] as const
    await group(members, { onChildFailure: 'cancel-others', onFailure: alarm.message() }).run()
    await until(async () => (await broker.stats('default')).delayed === 1)
    failing.open()
    await until(() => ends.length > 0, 'the group to end')
    await broker.join('default')
    t.same(await broker.stats('default'), { ready: 0, delayed: 0, inFlight: 0, dead: 1 })
  })

  ask('the messages of an actor or a queue are cancelled together', async ({ t, broker, ...s }) => {
    const runs: string[] = []
    const started = gate()
    const job = noteOrRun(s, runs, started.open, {})
    const other = s.actor((name: string) => void runs.push(name), { actorName: 'other' })
    const worker = await s.work({ concurrency: 1 })
    const running = await job.send('running')
    await started.opened
    const protectedOne = await job.sendWithOptions({ args: ['protected'], cancellable: false })
    const waiting = await job.sendMany(Array.from({ length: 600 }, (_, index) => [`${index}`]))
    const delayed = await job.sendWithOptions({ args: ['delayed'], delay: '1h' })
    await other.send('other')
    const ids = [running, ...waiting, delayed].map(({ messageId }) => messageId).sort()
    const dry = await broker.cancelMany({ actor: job }, { dryRun: true })
    t.same([...dry.ids].sort(), ids)
    t.equal(dry.refused, 1)
    t.equal(dry.cancelled + dry.cancelling, 602)
    t.same(await marks(broker), [])
    const { cancelled, cancelling, ...rest } = await broker.cancelMany({ actor: 'job', queue: 'default' })
    t.same({ ...rest, ids: [...rest.ids].sort() }, { refused: 1, ids })
    t.equal(cancelled + cancelling, 602)
    t.ok(cancelling >= 1 && cancelling < 600, `${cancelling} of them were with the worker`)
    await worker.join()
    t.same(runs.sort(), ['other', 'protected', 'running'])
    t.ok(protectedOne)
    t.same(await broker.cancelMany({ queue: 'default' }), { cancelled: 0, cancelling: 0, refused: 0, ids: [] })
    await t.rejects(broker.cancelMany({}), { name: 'InvalidOption' })
  })
})
