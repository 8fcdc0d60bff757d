import t from 'tap'
import { MemoryResults } from '../../brokers/memory/index.js'
import { ResultBackend, type StoredResult } from '../../lib/results/backend.js'
import { Results } from '../../middleware/results.js'
import { failure, stage } from '../support/memory.js'

t.test('nothing is kept unless it is asked for: by the message, the actor or the plugin, in that order', async (t) => {
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

t.test('between retries there is no result; only the last failure is one', async (t) => {
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

t.test(
  'a message for an actor that nobody has fails for the one who waits, where the message asks for results',
  async (t) => {
    const { actor, broker, work } = stage(t)
    actor(() => 1, { actorName: 'other' })
    const { remoteActor } = await import('../../lib/actor.js')
    await work()
    const message = await remoteActor('nobody', { broker }).sendWithOptions({ storeResults: true } as never)
    await t.rejects(message.result(), failure('ActorNotFound'))
  },
)

/** A backend that is away for a while. */
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

t.test('a backend that is replaced is closed, unless it stays in use', async (t) => {
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

t.test('while results are away no message is acknowledged whose result is wanted', async (t) => {
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

t.test('a callback or a next step that can’t be sent leaves the result as it is', async (t) => {
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
