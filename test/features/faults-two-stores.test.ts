/**
 * Groups and unique messages where state and queues are in separate stores, and a worker or a sender dies between the two:
 * what follows may be sent twice, but nothing is lost, and no key stays held.
 */
import { randomUUID } from 'node:crypto'
import { type Test, t } from 'tap'
import { MemoryBroker, MemoryState } from '../../brokers/memory/index.js'
import { RedisState } from '../../brokers/redis/index.js'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import { actor } from '../../lib/actor.js'
import type { Broker } from '../../lib/broker.js'
import type { Consumer } from '../../lib/consumer.js'
import { group } from '../../lib/index.js'
import type { Message } from '../../lib/message.js'
import type { Entry } from '../../lib/outcome.js'
import type { StateBackend } from '../../lib/state/backend.js'
import { systemClock } from '../../lib/time.js'
import { lockKey } from '../../lib/unique/lock.js'
import type { UniqueMessage } from '../../lib/unique/option.js'
import { Worker } from '../../lib/worker/worker.js'
import { captureLog } from '../support/log.js'
import { gate, until } from '../support/memory.js'
import { withRedisUrl } from '../support/redis-server.js'
import { makePath } from '../support/sqlite-files.js'

captureLog()

/** What dies between the two stores, next. */
class Crashes {
  /** Of these actors, the next acknowledgement. */
  readonly acks = new Set<string>()
  /** The next send. */
  send = false
}

/** Sends of a sender that is killed: it never hears of an error. */
function store(crashes: Crashes, storing: () => Promise<void>): Promise<void> {
  return crashes.send ? new Promise(() => {}) : storing()
}

/** Acknowledgements of a worker that is killed before: others get its message, and it does nothing more. */
function crashing(consumer: Consumer, crashes: Crashes): Consumer {
  const ack = consumer.ack.bind(consumer)
  consumer.ack = async (delivery, sends) => {
    const name = [...crashes.acks].find((one) => `${delivery.body}`.includes(`"actor_name":"${one}"`))
    if (name === undefined) return ack(delivery, sends)
    crashes.acks.delete(name)
    await consumer.requeue(delivery, { counted: true })
    await new Promise(() => {})
  }
  return consumer
}

class CrashingMemory extends MemoryBroker {
  readonly crashes = new Crashes()

  protected override store(entries: readonly Entry[]): Promise<void> {
    return store(this.crashes, () => super.store(entries))
  }

  protected override makeConsumer(queueName: string): Consumer {
    return crashing(super.makeConsumer(queueName), this.crashes)
  }
}

class CrashingSQLite extends SQLiteBroker {
  readonly crashes = new Crashes()

  protected override store(entries: readonly Entry[]): Promise<void> {
    return store(this.crashes, () => super.store(entries))
  }

  protected override makeConsumer(queueName: string): Consumer {
    return crashing(super.makeConsumer(queueName), this.crashes)
  }
}

interface Stage {
  readonly t: Test
  readonly broker: Broker
  readonly crashes: Crashes
  readonly work: () => Promise<void>
}

async function isHeld({ state }: Broker, message: Message): Promise<boolean> {
  const { key } = message.option('unique') as UniqueMessage
  return (await state?.read([lockKey(key)]))?.[0] !== undefined
}

function define(ask: (title: string, answer: (stage: Stage) => Promise<void>) => void): void {
  ask('what follows a group is sent, also that of the group around it', async ({ t, broker, crashes, work }) => {
    const reports = new Set<string>()
    const member = actor((_: number) => {}, { broker, actorName: 'member' })
    const last = actor(() => {}, { broker, actorName: 'last' })
    const report = actor((text: string) => void reports.add(text), { broker, actorName: 'report' })
    const inner = group([member.message(1), last.message()], { onComplete: report.message('inner') })
    const outer = group([member.message(2), inner], { onComplete: report.message('outer') })
    await outer.run()
    crashes.acks.add('member').add('last').add('report')
    await work()
    await broker.join('default', { timeout: '20s' })
    t.equal(await inner.wait(), 'completed')
    t.equal(await outer.wait(), 'completed')
    t.same([await inner.completedCount(), await outer.completedCount()], [2, 2])
    t.same([...reports].sort(), ['inner', 'outer'])
  })

  ask('a retry keeps its key, and its end frees it', async ({ t, broker, crashes, work }) => {
    let attempts = 0
    const retrying = { minBackoff: 1, maxBackoff: 1, jitter: false } as const
    const failing = (): void => {
      if (++attempts < 3) throw new Error('no')
    }
    const job = actor(failing, { broker, actorName: 'job', unique: true, ...retrying })
    const message = await job.send()
    t.equal((await job.send()).deduplicated, 'skipped')
    crashes.acks.add('job')
    await work()
    await until(() => attempts >= 3)
    await broker.join('default', { timeout: '20s' })
    t.equal(await isHeld(broker, message), false)
  })

  ask('a rerun that was promised runs, and its end frees the key', async ({ t, broker, crashes, work }) => {
    const ending = gate()
    const runs: string[] = []
    const run = async (text: string): Promise<void> => {
      runs.push(text)
      await ending.opened
    }
    const job = actor(run, { broker, actorName: 'job', unique: { key: 'one', onDuplicate: 'rerun' } })
    const message = await job.send('first')
    await work()
    await until(() => runs.length === 1)
    t.equal((await job.send('second')).deduplicated, 'rerun')
    crashes.acks.add('job')
    ending.open()
    await broker.join('default', { timeout: '20s' })
    t.equal(runs.at(-1), 'second')
    t.equal(await isHeld(broker, message), false)
  })

  ask('a unique message that follows another one is sent, and its end frees its key', async (stage) => {
    const { t, broker, crashes, work } = stage
    let reports = 0
    const report = actor((_?: unknown) => void reports++, { broker, actorName: 'report', unique: { key: 'report' } })
    const job = actor(() => {}, { broker, actorName: 'job' })
    crashes.acks.add('job')
    await job.sendWithOptions({ options: { pipe_target: report.messageWithOptions({ args: [] }).toWire() } })
    await work()
    await until(() => reports > 0, 'the report')
    await broker.join('default', { timeout: '20s' })
    t.equal(await isHeld(broker, report.message()), false)
  })

  ask('a sender that dies before it has stored its message leaves its key for a short time', async (stage) => {
    const { t, broker, crashes } = stage
    const job = actor(() => {}, { broker, actorName: 'job', unique: true })
    crashes.send = true
    void job.send()
    const message = job.message()
    await until(() => isHeld(broker, message), 'the key')
    crashes.send = false
    await until(async () => !(await isHeld(broker, message)), 'the key to be free')
    t.equal((await job.send()).deduplicated, false)
    t.equal((await broker.stats('default')).ready, 1)
  })
}

function ask(name: string, open: (t: Test) => Broker & { readonly crashes: Crashes }): void {
  define((title, answer) => {
    t.test(`${name}: ${title}`, { timeout: 60_000 }, async (t) => {
      const broker = open(t)
      t.teardown(() => broker.close({ timeout: 0 }))
      const work = async (): Promise<void> => {
        const worker = new Worker(broker, { threads: 0 })
        await worker.start()
        t.teardown(() => worker.stop({ timeout: 0 }))
      }
      await answer({ t, broker, crashes: broker.crashes, work })
    })
  })
}

// A key is held for twice this and 5 s while its message is being stored.
const enqueueTimeout = 100

ask('memory and memory', () => {
  const state: StateBackend = new MemoryState({ clock: systemClock })
  return new CrashingMemory({ state, enqueueTimeout })
})
await withRedisUrl((url) => {
  ask('SQLite and Redis', (t) => {
    const state = new RedisState({ url, namespace: randomUUID() })
    return new CrashingSQLite({ path: makePath(t), state, enqueueTimeout })
  })
})
