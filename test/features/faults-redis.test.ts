/** Groups and unique messages on a Redis whose connection is lost in the middle of a step. */
import { randomUUID } from 'node:crypto'
import { type Test, t } from 'tap'
import { RedisBroker } from '../../brokers/redis/index.js'
import { actor } from '../../lib/actor.js'
import { group } from '../../lib/index.js'
import type { Message } from '../../lib/message.js'
import type { UniqueOptions } from '../../lib/unique/option.js'
import { Worker } from '../../lib/worker/worker.js'
import { messagesIn } from '../support/killing.js'
import { captureLog } from '../support/log.js'
import { gate, until } from '../support/memory.js'
import { openProxy } from '../support/redis-brokers.js'
import type { FaultyProxy } from '../support/redis-faulty-proxy.js'
import { withRedis } from '../support/redis-server.js'

captureLog()

/** How a call can be lost: before Redis executed it, or after. */
const losses = {
  'was executed': (proxy: FaultyProxy, ...parts: string[]) => proxy.loseReplyTo(...parts),
  'was not executed': (proxy: FaultyProxy, ...parts: string[]) => proxy.loseRequest(...parts),
} as const

await withRedis((server) => {
  /** A broker whose connection can be lost, and one on the same queues. */
  async function open(t: Test): Promise<{ proxy: FaultyProxy; broker: RedisBroker; other: RedisBroker }> {
    const { proxy, url } = await openProxy(t, server)
    const settings = { namespace: randomUUID(), heartbeatTimeout: '1s' } as const
    const broker = new RedisBroker({ ...settings, url })
    const other = new RedisBroker({ ...settings, url: server.url })
    t.teardown(() => Promise.all([broker.close({ timeout: 0 }), other.close()]))
    return { proxy, broker, other }
  }

  async function work(t: Test, broker: RedisBroker): Promise<Worker> {
    const worker = new Worker(broker, { threads: 0, queues: ['default'] })
    await worker.start()
    t.teardown(() => worker.stop({ timeout: 0 }))
    return worker
  }

  for (const [fate, lose] of Object.entries(losses)) {
    for (const comesBack of [true, false]) {
      const after = comesBack ? 'and is repeated' : 'and its worker never comes back'
      t.test(`the settlement of the last member is lost, ${fate} ${after}: one message follows`, async (t) => {
        const { proxy, broker, other } = await open(t)
        let runs = 0
        const declare = (on: RedisBroker) => ({
          member: actor((_: string) => void runs++, { broker: on, actorName: 'member' }),
          report: actor(() => {}, { broker: on, actorName: 'report', queueName: 'reports' }),
        })
        const { member } = declare(broker)
        const { report } = declare(other)
        const jobs = group([member.message('first'), member.message('last')], { onComplete: report.message() })
        lose(proxy, `group:${jobs.id}:outcome`, ':begun')
        await jobs.run()
        await work(t, broker)
        await until(() => proxy.lost === 1, 'the call to be lost')
        if (comesBack) proxy.unblock()
        else await work(t, other)

        const state = other.stateFor('the test')
        await until(async () => (await state.read([`group:${jobs.id}:outcome`]))[0] !== undefined, 'the end')
        await other.join('default', { timeout: '20s' })
        t.equal(await state.size(`group:${jobs.id}:ended`), 2)
        t.equal((await messagesIn(other, 'reports')).length, 1)
        t.equal(runs, fate === 'was executed' || comesBack ? 2 : 3)
      })
    }

    t.test(`a unique send is lost, ${fate} and is repeated: one message, and what became of it`, async (t) => {
      const { proxy, broker, other } = await open(t)
      const starting = gate()
      const running = gate()
      const runs: string[] = []
      const declare = (on: RedisBroker) =>
        actor(
          async (_key: string, text: string) => {
            runs.push(text)
            starting.open()
            if (text === 'running') await running.opened
            return text
          },
          { broker: on, actorName: 'job', storeResults: true, unique: { key: (key: string) => key } },
        )
      const job = declare(broker)
      declare(other)
      // Redis knows the scripts from now on: what is lost is not their texts.
      await actor(() => {}, { broker: other, actorName: 'warm', queueName: 'warm', unique: true }).send()
      await other.stateFor('the test').apply([{ kind: 'set', key: 'warm', expected: null, value: '' }])
      const send = async (key: string, text: string, onDuplicate: UniqueOptions['onDuplicate']): Promise<Message> => {
        lose(proxy, text)
        const before = proxy.lost
        const sending = job.sendWithOptions({ args: [key, text], unique: { onDuplicate }, maxRetries: 0 })
        await until(() => proxy.lost > before, 'the call to be lost')
        proxy.unblock()
        return sending
      }

      t.equal((await send('c', 'only', 'skip')).deduplicated, false, 'it is not its own twin')
      const first = await send('a', 'first', 'replace')
      t.equal(first.deduplicated, false)
      t.match(await job.send('a', 'twin'), { deduplicated: 'skipped', messageId: first.messageId })
      const second = await send('a', 'second', 'replace')
      t.match(second, { deduplicated: 'replaced', messageId: first.messageId })
      t.match(await other.stats('default'), { ready: 2, delayed: 0 })
      await work(t, other)
      t.equal(await first.result(), 'second')

      await job.send('b', 'running')
      await until(() => runs.includes('running'))
      const again = await send('b', 'again', 'rerun')
      t.equal(again.deduplicated, 'rerun')
      running.open()
      t.equal(await again.result(), 'again')
      await other.join('default', { timeout: '20s' })
      t.same(runs, ['only', 'second', 'running', 'again'])
    })
  }
})
