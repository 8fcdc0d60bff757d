/** Cancelled messages, on every broker. */

import { CancelledError } from '../../lib/errors.js'
import type { Message } from '../../lib/message.js'
import type { Settlement } from '../../lib/settlement.js'
import { aborted, marks, stored } from '../support/cancelled-jobs.js'
import { onEachBroker } from '../support/each-broker.js'
import { failure, gate, until } from '../support/memory.js'

await onEachBroker((ask) => {
  ask('a waiting message does not run, and its result is a failure', async ({ t, broker, ...s }) => {
    const runs: number[] = []
    const job = s.actor((id: number) => void runs.push(id), { actorName: 'job', ...stored })
    const messages = await job.sendMany([[1], [2], [3]])
    const [, second] = messages as [Message, Message]
    t.equal(await second.cancel({ reason: 'not needed' }), 'cancelled')
    await s.work()
    await broker.join('default')
    t.same(runs, [1, 3])
    await t.rejects(second.result(), failure('CancelledError', 'The message was cancelled: not needed'))
    t.equal((await broker.stats('default')).dead, 0)
    t.same(await marks(broker), [], 'its end has removed the mark')
    t.same(await broker.state?.read([`cancel:${second.messageId}`]), [undefined])
  })

  ask('a delayed message ends at once', async ({ t, broker, ...s }) => {
    let runs = 0
    const job = s.actor(() => void runs++, { actorName: 'job', ...stored, unique: true })
    await s.work()
    const message = await job.sendWithOptions({ delay: '10h' })
    t.equal(await message.cancel(), 'cancelled')
    await t.rejects(message.result({ timeout: '20s' }), failure('CancelledError', 'The message was cancelled.'))
    await broker.join('default')
    t.equal(runs, 0)
    t.equal((await job.send()).deduplicated, false, 'and has freed its key')
  })

  ask('a running message is interrupted by another process, and not retried', async ({ t, broker, ...s }) => {
    const reasons: unknown[] = []
    const started = gate()
    const job = s.actor(
      async () => {
        started.open()
        reasons.push(await aborted())
        throw reasons.at(-1)
      },
      { actorName: 'job', ...stored },
    )
    const cancelled: [string, string | undefined][] = []
    const settled: Settlement[] = []
    broker.use({
      afterMessageCancelled: (message, error) => void cancelled.push([message.messageId, error.reason]),
      afterSettleMessage: (_, settlement) => void settled.push(settlement),
    })
    await s.work()
    const message = await job.send()
    await started.opened
    t.equal(await s.another().cancel(message.messageId, { reason: 'stop', queueName: 'default' }), 'cancelling')
    await t.rejects(message.result({ timeout: '20s' }), failure('CancelledError', 'stop'))
    await broker.join('default')
    await until(() => settled.length > 0)
    t.equal(reasons.length, 1, 'it ran once')
    t.match(reasons[0], { name: 'CancelledError', reason: 'stop' })
    t.ok(reasons[0] instanceof CancelledError)
    t.same(cancelled, [[message.messageId, 'stop']])
    t.match(settled, [{ decision: 'cancel', attempt: 1, error: { name: 'CancelledError' }, reason: 'stop' }])
    t.same(await marks(broker), [])
  })

  ask('an actor that ignores its signal loses its slot, and what it returns later changes nothing', async (s) => {
    const { t, broker } = s
    const started = gate()
    const ending = gate<string>()
    const next: unknown[] = []
    const follow = s.actor((value: unknown) => void next.push(value), { actorName: 'follow' })
    const job = s.actor(
      async () => {
        started.open()
        return ending.opened
      },
      { actorName: 'job', ...stored, onSuccess: follow },
    )
    await s.work({ concurrency: 1 })
    const message = await job.send()
    await started.opened
    t.equal(await message.cancel(), 'cancelling')
    await t.rejects(message.result({ timeout: '20s' }), failure('CancelledError', 'was cancelled.'))
    ending.open('late')
    await broker.join('default')
    await t.rejects(message.result({ timeout: 0 }), failure('CancelledError', 'was cancelled.'))
    t.same(next, [])
  })

  ask('an actor can cancel itself', async ({ t, broker, ...s }) => {
    let runs = 0
    const failures: unknown[] = []
    const failed = s.actor((_: unknown, why: unknown) => void failures.push(why), { actorName: 'failed' })
    const job = s.actor(
      () => {
        runs++
        throw new CancelledError('nothing to do')
      },
      { actorName: 'job', ...stored, onFailure: failed, cancellable: false },
    )
    await s.work()
    await t.rejects((await job.send()).result({ timeout: '20s' }), failure('CancelledError', 'nothing to do'))
    await broker.join('default')
    t.equal(runs, 1)
    t.same(failures, [])
    t.equal((await broker.stats('default')).dead, 0)
  })

  ask('a message that fails while it is marked is not retried later', async ({ t, broker, ...s }) => {
    const started = gate()
    const failing = gate()
    const job = s.actor(
      async () => {
        started.open()
        await failing.opened
        throw new Error('of its own')
      },
      { actorName: 'job', storeResults: true, minBackoff: '10h', maxBackoff: '10h' },
    )
    await s.work()
    const message = await job.send()
    await started.opened
    // As in another process: the worker hears of the mark when the message has failed.
    const answered = message.cancel()
    failing.open()
    t.match(await answered, /^cancell(ed|ing)$/)
    await t.rejects(message.result({ timeout: '20s' }), failure('CancelledError', 'was cancelled.'))
    await broker.join('default')
    t.same(await marks(broker), [])
  })

  ask('what can not be cancelled refuses it', async ({ t, broker, ...s }) => {
    const runs: string[] = []
    const started = gate()
    const ending = gate()
    const job = s.actor(
      async (name: string) => {
        runs.push(name)
        if (name === 'running') {
          started.open()
          await ending.opened
        }
      },
      { actorName: 'job', cancellable: false },
    )
    await s.work({ concurrency: 1 })
    const first = await job.send('running')
    await started.opened
    const second = await job.send('waiting')
    const third = await job.sendWithOptions({ args: ['allowed'], cancellable: true })
    t.equal(await first.cancel(), 'refused')
    t.equal(await broker.cancel(first.messageId), 'refused')
    t.equal(await broker.cancel(second.messageId), 'refused')
    t.match(await third.cancel(), /^cancell(ed|ing)$/, 'a message takes precedence over its actor')
    ending.open()
    await broker.join('default')
    t.same(runs, ['running', 'waiting'])
    t.same(await marks(broker), [])
  })

  ask('what has ended, and what never was, is told apart if there is a trace', async ({ t, broker, ...s }) => {
    const job = s.actor(() => 1, { actorName: 'job', storeResults: true })
    const message = await job.send()
    await s.work()
    await message.result()
    await broker.join('default')
    t.equal(await message.cancel(), 'finished')
    t.same(await marks(broker), [])
    t.equal(await job.message().cancel(), 'unknown')
    t.equal(await broker.cancel('no-such-message'), 'unknown')
    await broker.state?.apply([{ kind: 'set', key: 'status:some-id', value: '{"state":"succeeded"}' }])
    t.equal(await broker.cancel('some-id'), 'finished')
    await t.rejects(broker.cancel(''), { name: 'InvalidOption' })
    await t.rejects(broker.cancel(7 as never), { name: 'InvalidOption' })
    await t.rejects(message.cancel({ why: 'typo' } as never), { name: 'InvalidOption' })
  })

  ask('a message that was cancelled before it was sent does not run', async ({ t, broker, ...s }) => {
    let runs = 0
    const job = s.actor(() => void runs++, { actorName: 'job', ...stored })
    const message = job.message()
    t.equal(await message.cancel(), 'unknown')
    await broker.enqueue(message)
    await s.work()
    await t.rejects(message.result({ timeout: '20s' }), failure('CancelledError', 'was cancelled.'))
    t.equal(runs, 0)
  })
})
