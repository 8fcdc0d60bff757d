/** Messages from elsewhere that are odd or wrong: each comes to an end of its own, with a reason, and touches no other. */
import t from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import type { Body } from '../../lib/encoder.js'
import { Retry, SkipMessage } from '../../lib/errors.js'
import { Message } from '../../lib/message.js'
import type { Entry } from '../../lib/outcome.js'
import { LocalQueue } from '../../lib/worker/local-queue.js'
import { failure, stage, until } from '../support/memory.js'

t.test('what is refused without being run has no traceback: there is only ours to show', async (t) => {
  const { actor, broker, work } = stage(t)
  actor(() => 1, { actorName: 'somebody' })
  await work()
  const message = new Message({ queueName: 'default', actorName: 'nobody', args: [], options: { store_results: true } })
  await broker.enqueue(message)
  const error = (await broker.results?.get(message).catch((error: unknown) => error)) as { traceback?: string }
  t.match(error, failure('ActorNotFound'))
  t.equal(error.traceback, undefined)
  await broker.join('default')
  const { letters } = await broker.deadLetters('default')
  t.match(letters, [{ reason: /No actor named "nobody"/ }])
  t.equal(letters[0]?.traceback, undefined)
})

for (const [wire, value, said] of [
  ['max_retries', 'many', /Expected "maxRetries" to be a whole number from 0 up; got "many"/],
  ['time_limit', [], /Expected "timeLimit" to be a duration/],
  ['max_age', -1, /Expected "maxAge" to be a duration/],
  ['min_backoff', 'soon', /Expected "minBackoff" to be a duration/],
  ['store_results', 'yes', /Expected "storeResults" to be true or false; got "yes"/],
  ['result_ttl', {}, /Expected "resultTtl" to be a duration/],
  ['on_failure', 7, /Expected "onFailure" to be/],
] as const) {
  t.test(
    `an option of the wrong type (${wire}): dead-lettered with what was expected, without being run`,
    async (t) => {
      const { actor, broker, work } = stage(t)
      let runs = 0
      const job = actor(async () => ++runs, { actorName: 'job', storeResults: true })
      await work()
      await job.sendWithOptions({ options: { [wire]: value } })
      const fine = await job.send()
      t.equal(await fine.result(), 1, 'the other one runs, and this one does not')
      await broker.join('default')
      t.match((await broker.deadLetters('default')).letters, [{ reason: said }])
    },
  )
}

t.test('an option on the wire may be null, or written as a duration; a priority may be off the scale', async (t) => {
  const { actor, broker, work } = stage(t)
  const job = actor(
    async () => {
      throw new Error('no')
    },
    { actorName: 'job', minBackoff: '1h', jitter: false },
  )
  await work()
  await job.sendWithOptions({
    options: { min_backoff: null, max_retries: null, store_results: null, broker_priority: 255 },
  })
  await job.sendWithOptions({ options: { min_backoff: '2h', broker_priority: 'urgent' } })
  await until(async () => (await broker.stats('default')).delayed === 2)
  await broker.advance('61m')
  t.match(await broker.stats('default'), { delayed: 2, dead: 0 })
  await broker.advance('60m')
  t.match(await broker.stats('default'), { delayed: 2, dead: 0 })
})

t.test('a message that can be read but not written again is dead-lettered when it fails', async (t) => {
  const { actor, broker, work } = stage(t, new RawBroker())
  actor(
    async (_deep: unknown) => {
      throw new Error('no')
    },
    { actorName: 'job' },
  )
  await work()
  await broker.enqueue(new Message({ queueName: 'default', actorName: 'job', args: [] }))
  await broker.join('default', { timeout: '10s' })
  t.match((await broker.deadLetters('default')).letters, [{ reason: /can't be encoded: Maximum call stack/ }])
})

/** Stores, in place of the first message, one whose argument is nested deeper than JSON.stringify can follow. */
class RawBroker extends MemoryBroker {
  #stored = false

  protected override encode(entry: Entry): Body {
    const body = super.encode(entry) as string
    if (this.#stored) return body
    this.#stored = true
    return body.replace('"args":[]', `"args":[${'['.repeat(100_000)}${']'.repeat(100_000)}]`)
  }
}

t.test('kwargs and options that are no objects are refused when they are sent', async (t) => {
  const { actor } = stage(t)
  const job = actor(async () => {}, { actorName: 'job' })
  for (const wrong of ['text', 5, ['list']] as never[]) {
    t.throws(() => job.messageWithOptions({ kwargs: wrong }), { message: /Expected "kwargs" to be an object/ })
    t.throws(() => job.messageWithOptions({ options: wrong }), { message: /Expected "options" to be an object/ })
  }
})

t.test('whatever an actor throws is a failure like any other', async (t) => {
  const { actor, broker, work } = stage(t)
  const job = actor(
    async (how: string) => {
      if (how === 'bare') throw Object.create(null)
      throw how === 'symbol' ? Symbol('odd') : undefined
    },
    { actorName: 'job', maxRetries: 0, storeResults: true },
  )
  await work()
  for (const how of ['bare', 'symbol', 'undefined']) {
    await t.rejects((await job.send(how)).result(), failure('Error', /no Error was thrown/))
  }
  await broker.join('default')
})

for (const [name, intent] of [
  ['SkipMessage', new SkipMessage('too late for that')],
  ['Retry', new Retry({ delay: 1 })],
] as const) {
  t.test(`${name} from a hook that comes after the actor is a failure of that hook`, async (t) => {
    const { actor, broker, log, work } = stage(t)
    const thrown = (): never => {
      throw intent
    }
    broker.use({
      name: 'Watcher',
      afterProcessMessage: thrown,
      beforeAck: thrown,
      afterAck: thrown,
      beforeEnqueue: thrown,
    })
    let runs = 0
    const job = actor(
      async () => {
        if (++runs === 1) throw new Error('once')
        return runs
      },
      { actorName: 'job', storeResults: true, minBackoff: 1, maxBackoff: 1 },
    )
    await work()
    t.equal(await (await job.send()).result(), 2)
    await broker.join('default', { timeout: '10s' })
    t.match(await broker.stats('default'), { dead: 0 })
    t.ok(log.some(({ fields }) => fields.plugin === 'Watcher'))
  })
}

t.test('the local queue takes a priority that makes no sense as the nearest that does', async (t) => {
  const queue = new LocalQueue<string>()
  for (const priority of [Number.NaN, 255, -3, 4.5, undefined as never]) queue.push(`${priority}`, priority)
  t.same([...queue.drain()], ['255', '4.5', 'NaN', '-3', 'undefined'])
})
