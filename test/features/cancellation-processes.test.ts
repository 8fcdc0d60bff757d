/** Cancellations between processes, some of which are killed meanwhile. */
import { randomUUID } from 'node:crypto'
import { type Test, t } from 'tap'
import type { Broker } from '../../lib/broker.js'
import { setBroker } from '../../lib/default-broker.js'
import { cancels, listen, spin } from '../support/actors/cancelled.js'
import { makeBroker } from '../support/cancellation-broker.js'
import { captureLog } from '../support/log.js'
import { failure, until } from '../support/memory.js'
import { Child } from '../support/processes.js'
import { withRedisUrl } from '../support/redis-server.js'
import { makePath } from '../support/sqlite-files.js'

captureLog()
const patience = { timeout: '50s' } as const

interface Stage {
  readonly t: Test
  readonly broker: Broker
  readonly work: (threads?: number) => Promise<Child>
  readonly cancel: (ids: readonly string[]) => Child
}

function started(child: Child): string[] {
  return child.lines.filter((line) => line.startsWith('started ')).map((line) => line.slice('started '.length))
}

/** The ids with a mark, which has two parts. */
async function markedOf({ t, broker }: Stage, ids: readonly string[]): Promise<string[]> {
  const marked = (await broker.state?.readSet('cancellations')) ?? []
  const values = (await broker.state?.read(ids.map((id) => `cancel:${id}`))) ?? []
  const complete = ids.filter((_, index) => values[index] !== undefined)
  t.same([...marked].sort(), [...complete].sort(), 'no mark is written in part')
  return complete
}

function define(ask: (title: string, answer: (stage: Stage) => Promise<void>) => void): void {
  ask('an endless loop of another process is terminated, and its thread replaced', async ({ t, work }) => {
    const worker = await work(1)
    const message = await spin.send('loop')
    await worker.until(() => started(worker).includes('loop'))
    t.equal(await message.cancel({ reason: 'endless' }), 'cancelling')
    await t.rejects(message.result(patience), failure('CancelledError', 'endless'))
    const target = await listen.sendWithOptions({ args: ['later'], delay: '1h' })
    t.equal(await (await cancels.send(target.messageId)).result(patience), 'cancelled', 'also by an actor there')
    await t.rejects(target.result(patience), failure('CancelledError', 'from a thread'))
  })

  ask('messages whose worker is killed while they are cancelled do not run again', async (stage) => {
    const { t, broker, work } = stage
    let worker = await work()
    for (let round = 0; round < 2; round++) {
      const names = Array.from({ length: 25 }, (_, index) => `${round}.${index}`)
      const messages = await listen.sendMany(names.map((name) => [name]))
      await worker.until(() => names.every((name) => started(worker).includes(name)))
      const answers = Promise.all(messages.map((message) => message.cancel()))
      // At any moment: some are settled by then, some are not.
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 40))
      await worker.kill()
      await answers
      worker = await work()
      for (const message of messages) await t.rejects(message.result(patience), failure('CancelledError'))
      await broker.join('default', patience)
      t.same(started(worker), [], 'none has begun again')
      t.same(await markedOf(stage, []), [], 'and no mark is left')
    }
  })

  ask('what a process has cancelled before it is killed stays cancelled', async (stage) => {
    const { t, broker, work, cancel } = stage
    const messages = await listen.sendMany(Array.from({ length: 100 }, (_, index) => [`${index}`]))
    const ids = messages.map(({ messageId }) => messageId)
    const canceller = cancel(ids)
    await canceller.until((lines) => lines.length > 5)
    await canceller.kill()
    const marked = await markedOf(stage, ids)
    t.ok(marked.length >= 5, `${marked.length} of 100 were marked`)
    const worker = await work()
    const running = messages.filter(({ messageId }) => !marked.includes(messageId)).map(({ args }) => args[0] as string)
    await worker.until(() => running.every((name) => started(worker).includes(name)))
    await until(async () => {
      const { ready, inFlight } = await broker.stats('default')
      return ready === 0 && inFlight === running.length
    }, 'the others to end')
    t.same(started(worker).sort(), running.sort())
    t.same(await markedOf(stage, []), [])
  })
}

function ask(name: string, share: (t: Test) => string): void {
  define((title, answer) => {
    t.test(`${name}: ${title}`, { timeout: 120_000 }, async (t) => {
      const shared = share(t)
      const broker = makeBroker(shared)
      t.teardown(() => broker.close())
      setBroker(broker)
      await answer({
        t,
        broker,
        cancel: (ids) => new Child(t, 'cancellation-child.ts', [shared, 'cancel', ...ids]),
        async work(threads = 0) {
          const child = new Child(t, 'cancellation-child.ts', [shared, 'worker', `${threads}`])
          await child.until((lines) => lines.includes('ready'))
          return child
        },
      })
    })
  })
}

await withRedisUrl((url) => {
  ask('SQLite', (t) => `sqlite ${makePath(t)}`)
  ask('Redis', () => `redis ${url} cancel-${randomUUID()}`)
})
