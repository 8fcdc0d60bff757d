import t from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import type { ActorOptions } from '../../lib/actor-options.js'
import { Retry } from '../../lib/errors.js'
import type { Message } from '../../lib/message.js'
import { Outcome } from '../../lib/outcome.js'
import { Retries, type RetriesOptions } from '../../middleware/retries.js'
import { type Stage, stage } from '../support/memory.js'
import { openTestBroker } from '../support/test-broker.js'

class Refused extends Error {
  override name = 'Refused'
}
class CardRefused extends Refused {
  override name = 'CardRefused'
}

const attempt = { retries: 3 }

/** The decision of a chain with such a Retries on a failed message of such an actor. */
function decide(
  stage: Stage,
  error: Error,
  { own = {}, actor = {}, plugin }: { own?: object; actor?: ActorOptions; plugin?: RetriesOptions } = {},
): Outcome {
  const job = stage.actor(async () => {}, { actorName: `job${stage.broker.actors.size}`, ...actor })
  const message: Message = job.messageWithOptions({ options: { ...own } })
  const outcome = new Outcome(message, undefined, error)
  new Retries(plugin).afterProcessMessage(message, outcome, stage.broker)
  return outcome
}

const delayOf = (outcome: Outcome): number | undefined => outcome.sends[0]?.delay

t.test('the wait doubles with each retry, times a random factor between 1 and 2', async (t) => {
  const s = stage(t)
  for (const [retries, base] of [
    [0, 1000],
    [1, 2000],
    [3, 8000],
  ] as const) {
    const delays = Array.from(
      { length: 200 },
      () => delayOf(decide(s, new Error('no'), { own: { retries }, plugin: { minBackoff: 1000 } })) as number,
    )
    t.ok(
      delays.every((delay) => delay >= base && delay <= 2 * base),
      `${retries} retries: ${Math.min(...delays)} to ${Math.max(...delays)}`,
    )
    t.ok(new Set(delays).size > 20, 'not all the same')
  }
})

t.test('above maxBackoff the wait is random in its upper half; without jitter it is exact', async (t) => {
  const s = stage(t)
  const plugin = { minBackoff: 1000, maxBackoff: 4000 }
  const delays = Array.from(
    { length: 200 },
    () => delayOf(decide(s, new Error('no'), { own: { retries: 9 }, plugin })) as number,
  )
  t.ok(
    delays.every((delay) => delay >= 2000 && delay <= 4000),
    `${Math.min(...delays)} to ${Math.max(...delays)}`,
  )
  for (const [retries, delay] of [
    [0, 1000],
    [2, 4000],
    [19, 4000],
  ]) {
    t.equal(delayOf(decide(s, new Error('no'), { own: { retries }, plugin: { ...plugin, jitter: false } })), delay)
    t.equal(delayOf(decide(s, new Error('no'), { own: { retries }, plugin, actor: { jitter: false } })), delay)
  }
})

t.test('no wait is longer than seven days', async (t) => {
  const outcome = decide(stage(t), new Error('no'), {
    own: { retries: 15, max_retries: null },
    plugin: { maxBackoff: '30d', minBackoff: '1d', jitter: false },
  })
  t.equal(delayOf(outcome), 7 * 24 * 3_600_000)
})

t.test('an option of the message takes precedence over that of the actor, and that over the plugin’s', async (t) => {
  const s = stage(t)
  const decision = (own: object, actor: ActorOptions, plugin: RetriesOptions): string =>
    decide(s, new Error('no'), { own: { ...attempt, ...own }, actor, plugin }).decision
  t.equal(decision({}, {}, { maxRetries: 3 }), 'dead-letter')
  t.equal(decision({}, {}, { maxRetries: 4 }), 'retry')
  t.equal(decision({}, { maxRetries: 4 }, { maxRetries: 0 }), 'retry')
  t.equal(decision({ max_retries: 4 }, { maxRetries: 0 }, {}), 'retry')
  t.equal(decision({ max_retries: 0 }, { maxRetries: 9 }, {}), 'dead-letter')
})

t.test('null means no limit, wherever it is set; 0 means no retry', async (t) => {
  const s = stage(t)
  const own = { retries: 1_000_000 }
  t.equal(decide(s, new Error('no'), { own, plugin: { maxRetries: null } }).decision, 'retry')
  t.equal(decide(s, new Error('no'), { own, actor: { maxRetries: null } }).decision, 'retry')
  t.equal(decide(s, new Error('no'), { own: { ...own, max_retries: null } }).decision, 'retry')
  const once = decide(s, new Error('no'), { actor: { maxRetries: 0 } })
  t.match(once, { decision: 'dead-letter', reason: 'Error: no' })
})

t.test('throws accepts classes, their subclasses, and names', async (t) => {
  const s = stage(t)
  for (const throws of [Refused, CardRefused, 'Refused', 'CardRefused', [TypeError, 'Refused']]) {
    t.match(decide(s, new CardRefused('card'), { actor: { throws } }), {
      decision: 'dead-letter',
      reason: /not to be retried/,
    })
  }
  for (const throws of [CardRefused, 'CardRefused', TypeError]) {
    t.equal(decide(s, new Refused('all'), { actor: { throws } }).decision, 'retry')
  }
})

t.test('the retry has the count, the traceback and the time; the message itself is unchanged', async (t) => {
  const s = stage(t)
  const { message, sends } = decide(s, new TypeError('no'), { own: { retries: 1, mine: 'kept' } })
  t.equal(sends.length, 1)
  t.equal(sends[0]?.message, message)
  t.match(message.options, { retries: 2, mine: 'kept', traceback: /TypeError: no\n$/ })
  t.type(message.options.requeue_timestamp, 'number')
})

t.test('an invalid count of retries is read as 0', async (t) => {
  const s = stage(t)
  for (const retries of ['3', -1, 1.5, null]) {
    t.equal(decide(s, new Error('no'), { own: { retries } }).message.options.retries, 1)
  }
})

t.test('a Retry with an invalid delay waits as usual, and this is logged', async (t) => {
  const s = stage(t)
  const outcome = decide(s, new Retry({ delay: 'soon' as never }), { plugin: { minBackoff: 7000, jitter: false } })
  t.equal(delayOf(outcome), 7000)
  t.match(
    s.log.filter(({ level }) => level !== 'debug'),
    [{ level: 'warn', text: /unusable delay/ }],
  )
})

t.test('a Retry counts against maxRetries like any failure', async (t) => {
  t.equal(decide(stage(t), new Retry({ delay: 1 }), { own: attempt, actor: { maxRetries: 3 } }).decision, 'dead-letter')
})

t.test('if retryWhen throws, the message is not acknowledged but redelivered', async (t) => {
  const { actor, broker, log } = openTestBroker(t)
  const job = actor(
    async () => {
      throw new Error('no')
    },
    {
      actorName: 'job',
      retryWhen: () => {
        throw new RangeError('undecided')
      },
    },
  )
  await job.send()
  const { delay, reason } = await broker.waitFor(job, 'requeued')
  t.match(reason, /undecided/)
  t.match(await broker.stats('default'), { delayed: delay ? 1 : 0 })
  t.ok(log.some(({ fields }) => fields.plugin === 'Retries' && (fields.err as Error).message === 'undecided'))
})

t.test('an invalid option is refused when the plugin or the actor is created', async (t) => {
  const { actor } = stage(t, new MemoryBroker())
  t.throws(() => new Retries({ maxRetries: -1 }), { message: /Expected "maxRetries" to be a whole number/ })
  t.throws(() => new Retries({ minBackoff: 'soon' as never }), { message: /Expected "minBackoff" to be a duration/ })
  t.throws(() => actor(async () => {}, { actorName: 'a', throws: 5 as never }), { message: /Expected "throws" to be/ })
})
