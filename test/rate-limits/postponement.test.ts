/** Messages whose actor, or a plugin before it, throws `RateLimitExceeded`. */
import t from 'tap'
import { MemoryBroker, MemoryRateLimits } from '../../brokers/memory/index.js'
import type { ActorOptions } from '../../lib/actor-options.js'
import { RateLimitExceeded } from '../../lib/errors.js'
import type { Message } from '../../lib/message.js'
import { Outcome } from '../../lib/outcome.js'
import { ConcurrentRateLimiter, type RateLimitBackend, WindowRateLimiter } from '../../lib/rate-limits/index.js'
import { waitingTime } from '../../lib/rate-limits/postponement.js'
import { Retries } from '../../middleware/retries.js'
import { type Stage, stage, until } from '../support/memory.js'

const exceeded = new RateLimitExceeded('api', { retryAfter: 5000 })

/** The decision of `Retries` on a message of such an actor that found no slot. */
function decide(
  s: Stage,
  actor: ActorOptions = {},
  options: Record<string, unknown> = {},
  error: Error = exceeded,
): Outcome {
  const job = s.actor(async () => {}, { actorName: `job${s.broker.actors.size}`, ...actor })
  const outcome = new Outcome(job.messageWithOptions({ options }), undefined, error)
  new Retries().afterProcessMessage(outcome.message, outcome, s.broker)
  return outcome
}

t.test('the wait is that of the limiter, plus a time that grows with each unsuccessful attempt', async (t) => {
  const least = (): number => 0
  const most = (): number => 1
  t.equal(waitingTime(0, 5000, least), 5000)
  t.equal(waitingTime(0, 5000, most), 5500)
  t.equal(waitingTime(3, 5000, most), 9000)
  t.equal(waitingTime(1000, 5000, most), 35_000, 'up to a maximum')
  t.equal(waitingTime(0, 0, least), 0)
})

t.test('without a retryAfter the wait grows with each attempt, up to half a minute', async (t) => {
  for (const unknown of [undefined, Number.NaN, -1]) {
    t.equal(
      waitingTime(0, unknown, () => 0),
      200,
    )
    t.equal(
      waitingTime(4, unknown, () => 0),
      3200,
    )
    t.ok(waitingTime(1000, unknown, () => 0.999) <= 30_000)
    t.ok(waitingTime(1000, unknown, () => 0) >= 15_000, 'drawn from the upper half')
  }
})

t.test('a hundred messages that wait for one slot make few attempts', async (t) => {
  // Each is refused repeatedly. How often per second, after several waits?
  const average = (waits: number): number =>
    Array.from({ length: 100 }, () => waitingTime(waits, undefined)).reduce((sum, one) => sum + one, 0) / 100
  t.ok(100 / (average(8) / 1000) < 10, 'less than 10 attempts a second')
})

for (const [name, options] of Object.entries<ActorOptions>({
  'as a rule': {},
  'with maxRetries: 0': { maxRetries: 0 },
  'whatever retryWhen says': {
    retryWhen: () => {
      throw new Error('must not be called')
    },
  },
})) {
  t.test(`no attempt is counted ${name}`, async (t) => {
    const s = stage(t)
    const outcome = decide(s, options, { retries: 2, own: 'stays' })
    t.match(outcome, { decision: 'retry', postponed: true })
    t.match(outcome.message.options, { retries: 2, own: 'stays', rate_limit_waits: 1 })
    const delay = outcome.sends[0]?.delay as number
    t.ok(delay >= 5000 && delay <= 5500, `${delay}`)
  })
}

t.test('the number of waits is counted, and starts again after an attempt', async (t) => {
  const s = stage(t)
  t.equal(decide(s, {}, { rate_limit_waits: 7 }).message.options.rate_limit_waits, 8)
  t.equal(decide(s, {}, { rate_limit_waits: 'often' }).message.options.rate_limit_waits, 1)
  const failed = decide(s, {}, { rate_limit_waits: 7 }, new Error('of its own')).message
  t.match(failed.options, { retries: 1, rate_limit_waits: undefined })
})

t.test('an actor can let it count as a failure, or exclude it from retries with throws', async (t) => {
  const s = stage(t)
  t.match(decide(s, { countRateLimitExceeded: true, maxRetries: 1 }), { decision: 'retry', postponed: false })
  const last = decide(s, { countRateLimitExceeded: true, maxRetries: 1 }, { retries: 1 })
  t.match(last, {
    decision: 'dead-letter',
    reason: 'RateLimitExceeded: The rate limit "api" is exceeded. (after 1 retry)',
  })
  t.match(decide(s, { throws: RateLimitExceeded }), { decision: 'dead-letter', reason: /not to be retried/ })
})

t.test('no failure is reported while a message waits; maxAge ends the waiting', async (t) => {
  const broker = new MemoryBroker()
  const s = stage(t, broker)
  const settled: unknown[] = []
  broker.use({
    name: 'watcher',
    afterSettleMessage: (_, { decision, delay }) => void settled.push({ decision, delay }),
  })
  const told: string[] = []
  const tell = (name: string) => s.actor(() => void told.push(name), { actorName: name })
  const callbacks = { onFailure: tell('onFailure'), onRetryExhausted: tell('onRetryExhausted') }
  const limiter = new ConcurrentRateLimiter(new MemoryRateLimits({ name: 'waits', clock: broker.clock }), 'one', {
    ttl: '1d',
  })
  await limiter.acquire()
  const patient = s.actor(() => limiter.acquire(() => 'done'), {
    actorName: 'patient',
    storeResults: true,
    maxRetries: 0,
    maxAge: '1h',
    resultTtl: '1d',
    ...callbacks,
  })
  const worker = await s.work()
  const message = await patient.send()
  await until(() => settled.length > 0)
  t.match(settled, [{ decision: 'requeue', delay: Number }])
  await t.rejects(message.result({ timeout: 0 }), { name: 'ResultMissing' })
  t.equal((await broker.stats('default')).delayed, 1)
  await broker.advance('2h')
  await worker.join()
  t.same(told, [])
  await t.rejects(message.result({ timeout: 0 }), { name: 'ResultFailure', message: /age limit/ })
  t.same(
    s.log.filter(({ level, text }) => level === 'error' || (level === 'warn' && !text.includes('age limit'))),
    [],
  )
})

t.test('a plugin may acquire a slot before the actor runs', async (t) => {
  const broker = new MemoryBroker()
  const s = stage(t, broker)
  for (const hook of ['beforeProcessMessage', 'aroundProcess', 'aroundActor'] as const) {
    let refusals = 1
    broker.use({
      name: hook,
      async [hook](_: Message, next?: unknown) {
        if (refusals-- > 0) throw new RateLimitExceeded(hook, { retryAfter: 1 })
        return typeof next === 'function' ? next() : undefined
      },
    })
  }
  const job = s.actor(() => 'done', { actorName: 'job', storeResults: true, maxRetries: 0 })
  await s.work()
  const message = await job.send()
  for (let step = 0; step < 3; step++) {
    await until(async () => (await broker.stats('default')).delayed === 1 || s.log.length > 4)
    await broker.advance('10s')
  }
  t.equal(await message.result(), 'done')
  t.same(
    s.log.filter(({ level }) => level === 'error'),
    [],
    'it is not a failure of the plugin',
  )
})

t.test('if the backend can not be read, the wait is the whole window', async (t) => {
  const memory = new MemoryRateLimits({ name: 'unreadable' })
  const { read: _, ...others } = Object.fromEntries(
    (['add', 'incr', 'decr', 'incrAndSum', 'read', 'wait', 'notify', 'now'] as const).map((name) => [
      name,
      (memory[name] as (...args: unknown[]) => unknown).bind(memory),
    ]),
  )
  const limiter = new WindowRateLimiter(others as unknown as RateLimitBackend, 'key', { window: '1m' })
  await limiter.acquire()
  await t.rejects(limiter.acquire(), { name: 'RateLimitExceeded', retryAfter: 60_000 })
  const broken = { ...others, read: () => Promise.reject(new Error('no connection')) } as unknown as RateLimitBackend
  const refused = new WindowRateLimiter(broken, 'key', { window: '1m' }).acquire()
  await t.rejects(refused, { name: 'RateLimitExceeded', retryAfter: undefined })
})
