import t from 'tap'
import { MemoryResults } from '../../brokers/memory/index.js'
import { ResultBackend, type StoredResult } from '../../lib/results/backend.js'
import { Results } from '../../middleware/results.js'
import { failure, stage } from '../support/memory.js'

t.test('a result is stored only if the message, the actor or the plugin requests it, in that order', async (t) => {
  const { actor, broker, work } = stage(t)
  broker.use(new Results({ backend: new MemoryResults({ clock: broker.clock }), storeResults: true }))
  const kept = actor(() => 1, { actorName: 'kept' })
  const dropped = actor(() => 1, { actorName: 'dropped', storeResults: false })
  await work()
  const messages = [await kept.send(), await dropped.sendWithOptions({ storeResults: true })] as const
  const nothing = [await kept.sendWithOptions({ storeResults: false }), await dropped.send()] as const
  await broker.join('default')
  for (const message of messages) t.equal(await message.result({ timeout: 0 }), 1)
  for (const message of nothing) await t.rejects(message.result({ timeout: 0 }), { name: 'ResultMissing' })
})

t.test('an actor that returns nothing has null for its result', async (t) => {
  const { actor, work } = stage(t)
  const job = actor(async () => {}, { actorName: 'job', storeResults: true })
  const none = actor(() => null, { actorName: 'none', storeResults: true })
  await work()
  t.equal(await (await job.send()).result(), null)
  t.equal(await (await none.send()).result(), null)
})

t.test('a result is kept for resultTtl, and no longer', async (t) => {
  const { actor, broker, work } = stage(t)
  const job = actor(() => 'here', { actorName: 'job', storeResults: true, resultTtl: '1h' })
  await work()
  const [long, short] = [await job.send(), await job.sendWithOptions({ resultTtl: '1m' })]
  await broker.join('default')
  await broker.advance('2m')
  t.equal(await long.result({ timeout: 0 }), 'here')
  await t.rejects(short.result({ timeout: 0 }), { name: 'ResultMissing' })
  await broker.advance('1h')
  await t.rejects(long.result({ timeout: 0 }), { name: 'ResultMissing' })
})

t.test('between retries there is no result; only the last failure is stored', async (t) => {
  const { actor, broker, work } = stage(t)
  let runs = 0
  const job = actor(
    async () => {
      throw new Error(`attempt ${++runs}`)
    },
    { actorName: 'job', storeResults: true, resultTtl: '1d', maxRetries: 1, minBackoff: '1h', jitter: false },
  )
  await work()
  const message = await job.send()
  await broker.advance(1)
  await t.rejects(message.result({ timeout: 0 }), { name: 'ResultMissing' })
  await broker.advance('2h')
  await t.rejects(message.result({ timeout: 0 }), failure('Error', 'attempt 2'))
})

t.test('result() of a message for an unknown actor rejects, if the message requests a result', async (t) => {
  const { actor, broker, work } = stage(t)
  actor(() => 1, { actorName: 'other' })
  const { remoteActor } = await import('../../lib/actor.js')
  await work()
  const message = await remoteActor('nobody', { broker }).sendWithOptions({ storeResults: true } as never)
  await t.rejects(message.result(), failure('ActorNotFound'))
})

/** A backend that is unreachable for some calls. */
class Away extends ResultBackend {
  readonly kept = new Map<string, StoredResult>()
  failures = 1

  protected async put(key: string, stored: StoredResult): Promise<void> {
    if (this.failures-- > 0) throw new Error('results are away')
    this.kept.set(key, stored)
  }

  protected async peek(key: string): Promise<StoredResult | undefined> {
    return this.kept.get(key)
  }

  protected async wait(): Promise<undefined> {}
}

t.test('a replaced backend is closed, unless it is still used', async (t) => {
  const { broker } = stage(t)
  class Counted extends Away {
    closed = 0
    override async close(): Promise<void> {
      this.closed++
    }
  }
  const [first, second] = [new Counted(), new Counted()]
  broker.use(new Results({ backend: first }))
  broker.use(new Results({ backend: first, storeResults: true }))
  t.equal(first.closed, 0)
  broker.use(new Results({ backend: second }))
  t.same([first.closed, second.closed], [1, 0])
})

t.test('while the results backend is unreachable, no message with a requested result is acknowledged', async (t) => {
  const { actor, broker, work } = stage(t)
  const backend = new Away()
  broker.use(new Results({ backend }))
  const job = actor(() => 5, { actorName: 'job', storeResults: true })
  await work()
  const message = await job.send()
  await broker.advance('1m')
  await broker.join('default')
  t.equal(await message.result({ timeout: 0 }), 5)
  t.match(await broker.stats('default'), { dead: 0 })
})

t.test('a callback or a next step that can’t be sent does not affect the result', async (t) => {
  const { actor, broker, work, log } = stage(t)
  const tell = actor((_message: object, _result: unknown) => {}, { actorName: 'tell' })
  const long = actor(() => 'x'.repeat(broker.maxMessageSize), {
    actorName: 'long',
    storeResults: true,
    onSuccess: tell,
  })
  await work()
  const pipe_target = tell.message({}, 1).toWire()
  const message = await long.sendWithOptions({ options: { pipe_target } })
  await broker.join('default', { timeout: '10s' })
  t.equal(await message.result({ timeout: 0 }), 'x'.repeat(broker.maxMessageSize))
  t.match(await broker.stats('default'), { dead: 0 })
  const errors = log.filter(({ level }) => level === 'error')
  t.match(errors, [
    { text: /maxMessageSize/, fields: { next: 'tell', actorName: 'long' } },
    { fields: { next: 'tell' } },
  ])
})
