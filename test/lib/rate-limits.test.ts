import t, { type Test } from 'tap'
import { InvalidOption } from '../../lib/errors.js'
import type { RateLimitBackend } from '../../lib/rate-limits/backend.js'
import { Barrier, BucketRateLimiter, ConcurrentRateLimiter, WindowRateLimiter } from '../../lib/rate-limits/index.js'
import { readVectors } from '../vectors.js'

interface LimitCase {
  name: string
  at_ms: number
  redis_after: Record<string, { type: string; pttl: number; value: string | string[] }>
}

/** A minimal backend that records values, times to live and waits. */
class Notebook implements RateLimitBackend {
  time = 0
  readonly values: Record<string, number> = {}
  readonly ttls: Record<string, number> = {}
  readonly waits: [string, number][] = []

  now(): number {
    return this.time
  }

  async add(key: string, value: number, ttl: number): Promise<boolean> {
    return key in this.values ? false : this.#set(key, value, ttl)
  }

  async incr(key: string, amount: number, maximum: number, ttl: number): Promise<boolean> {
    const value = (this.values[key] ?? 0) + amount
    return value <= maximum && this.#set(key, value, ttl)
  }

  async decr(key: string, amount: number, minimum: number, ttl: number): Promise<boolean> {
    const value = (this.values[key] ?? 0) - amount
    return value >= minimum && this.#set(key, value, ttl)
  }

  async incrAndSum(
    key: string,
    keys: readonly string[],
    amount: number,
    maximum: number,
    ttl: number,
  ): Promise<boolean> {
    const sum = keys.reduce((total, each) => total + (this.values[each] ?? 0), amount)
    return sum <= maximum && this.incr(key, amount, maximum, ttl)
  }

  async wait(key: string, timeout: number): Promise<boolean> {
    this.waits.push([key, timeout])
    return this.waits.length > 2
  }

  async notify(key: string, ttl: number): Promise<void> {
    this.#set(key, (this.values[key] ?? 0) + 1, ttl)
  }

  #set(key: string, value: number, ttl: number): true {
    this.values[key] = value
    this.ttls[key] = ttl
    return true
  }
}

const limits = readVectors<LimitCase>('rate-limits').cases
const barriers = readVectors<LimitCase>('barrier').cases

t.test("concurrent: key, value and time to live are Dramatiq's", async (t) => {
  const notebook = new Notebook()
  const mutex = new ConcurrentRateLimiter(notebook, 'mutex')
  const held = await mutex.tryAcquire()
  t.equal(await mutex.tryAcquire(), undefined)
  await held?.release()
  sameAs(t, notebook, caseOf(limits, 'concurrent'))

  const pairs = new Notebook()
  const pair = new ConcurrentRateLimiter(pairs, 'pair', { limit: 2, ttl: '1m' })
  const [first, second] = [await pair.tryAcquire(), await pair.tryAcquire()]
  t.equal(await pair.tryAcquire(), undefined)
  await first?.release()
  await second?.release()
  sameAs(t, pairs, caseOf(limits, 'concurrent_limit_2'))
})

t.test("bucket: keys are named as Dramatiq's, by the start of the bucket", async (t) => {
  const notebook = new Notebook()
  const vector = caseOf(limits, 'bucket')
  notebook.time = vector.at_ms
  const limiter = new BucketRateLimiter(notebook, 'bucket', { limit: 2, bucket: '1m' })
  for (const granted of [true, true, false]) t.equal((await limiter.tryAcquire()) !== undefined, granted)
  sameAs(t, notebook, vector)
})

t.test("window: keys are named as Dramatiq's, by the second", async (t) => {
  const notebook = new Notebook()
  const vector = caseOf(limits, 'window')
  const [key] = Object.keys(vector.redis_after) as [string]
  notebook.time = Number(key.split('@')[1]) * 1000 + 999
  const limiter = new WindowRateLimiter(notebook, 'win', { limit: 2, window: '3s' })
  for (const granted of [true, true, false]) t.equal((await limiter.tryAcquire()) !== undefined, granted)
  sameAs(t, notebook, vector)
  notebook.time += 1
  t.equal(await limiter.tryAcquire(), undefined, 'the case "raise": the second after')
})

t.test("barrier: its count, its events and their time to live are Dramatiq's", async (t) => {
  const notebook = new Notebook()
  const barrier = new Barrier(notebook, 'barrier-1')
  t.equal(await barrier.create(3), true)
  sameAs(t, notebook, caseOf(barriers, 'create'))
  t.equal(await barrier.create(3), false)
  sameAs(t, notebook, caseOf(barriers, 'create_again'))
  for (const [name, last] of [
    ['wait_1', false],
    ['wait_2', false],
    ['wait_3', true],
    ['wait_4_extra', true],
  ] as const) {
    t.equal(await barrier.wait({ block: false }), last, name)
    sameAs(t, notebook, caseOf(barriers, name))
  }
})

t.test('a barrier waits for its events: until its timeout, otherwise without a limit', async (t) => {
  const notebook = new Notebook()
  const barrier = new Barrier(notebook, 'b')
  await barrier.create(9)
  t.equal(await barrier.wait({ timeout: '5s' }), false)
  t.same(notebook.waits.splice(0), [['b@events', 5000]])
  t.equal(await barrier.wait(), true)
  t.same([...new Set(notebook.waits.map(([key]) => key))], ['b@events'])
  t.equal(notebook.waits.length, 3, 'round after round, until an event comes')
})

t.test('invalid settings are refused', async (t) => {
  const notebook = new Notebook()
  const bad: [() => unknown, RegExp][] = [
    [() => new ConcurrentRateLimiter(notebook, ''), /"key"/],
    [() => new ConcurrentRateLimiter({} as RateLimitBackend, 'k'), /"backend".*MemoryRateLimits/],
    [() => new ConcurrentRateLimiter(notebook, 'k', { limit: 0 }), /"limit".*1 or more/],
    [() => new ConcurrentRateLimiter(notebook, 'k', { limit: 1.5 }), /"limit"/],
    [() => new ConcurrentRateLimiter(notebook, 'k', { ttl: 'soon' as never }), /"ttl"/],
    [() => new ConcurrentRateLimiter(notebook, 'k', { limits: 1 } as object), /did you mean "limit"/],
    [() => new BucketRateLimiter(notebook, 'k', { bucket: 0 }), /"bucket".*1 ms/],
    [() => new WindowRateLimiter(notebook, 'k', { window: 1500 }), /"window".*whole seconds/],
    [() => new WindowRateLimiter(notebook, 'k', { window: 0 }), /"window".*whole seconds/],
    [() => new Barrier(notebook, ''), /"key"/],
    [() => new Barrier(notebook, 'k', { timeout: 1 } as object), /Unknown option "timeout"/],
  ]
  for (const [make, message] of bad) t.throws(make, { constructor: InvalidOption, message })
  await t.rejects(new Barrier(notebook, 'k').create(0), InvalidOption)
  await t.rejects(new ConcurrentRateLimiter(notebook, 'k').acquire(5 as never), InvalidOption)
})

t.test('a slot that can not be released does not affect the result of its function', async (t) => {
  const notebook = new Notebook()
  notebook.decr = async () => {
    throw new Error('gone')
  }
  t.equal(await new ConcurrentRateLimiter(notebook, 'k').acquire(() => 'done'), 'done')
})

function caseOf(cases: readonly LimitCase[], name: string): LimitCase {
  return cases.find((each) => each.name === name) as LimitCase
}

/** Compares the notebook with Redis: a list of events by its length, a time to live as far as it has passed. */
function sameAs(t: Test, notebook: Notebook, { redis_after }: LimitCase): void {
  const values = Object.entries(redis_after).map(([key, { value }]) => [
    key,
    Array.isArray(value) ? value.length : Number(value),
  ])
  t.same(notebook.values, Object.fromEntries(values))
  for (const [key, { pttl }] of Object.entries(redis_after)) {
    const ttl = notebook.ttls[key] as number
    t.ok(pttl <= ttl && pttl > ttl - 1500, `${key}: ${pttl} of ${ttl}`)
  }
}
