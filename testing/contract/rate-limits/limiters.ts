/** Tests of the limiters and the barrier on any backend; part of the contract tests in `../rate-limits.ts`. */
import { RateLimitExceeded } from '../../../lib/errors.js'
import type { RateLimitBackend } from '../../../lib/rate-limits/backend.js'
import {
  Barrier,
  BucketRateLimiter,
  ConcurrentRateLimiter,
  type RateLimiter,
  WindowRateLimiter,
} from '../../../lib/rate-limits/index.js'
import { pause } from '../../../lib/time.js'
import type { ContractTest } from '../contract-test.js'
import { inTime, until } from '../waiting.js'

/** Registers one of the tests. */
export type Ask = (title: string, answer: (t: ContractTest, backend: RateLimitBackend) => Promise<void>) => void

export function limiters(ask: Ask): void {
  ask('a concurrent limiter grants its limit of slots, and more once slots are released', async (t, backend) => {
    const limiter = new ConcurrentRateLimiter(backend, 'pair', { limit: 2 })
    const first = await limiter.acquire()
    const second = await limiter.acquire()
    await t.rejects(limiter.acquire(), RateLimitExceeded)
    t.equal(await limiter.tryAcquire(), undefined)
    await first.release()
    await first.release()
    const third = await limiter.tryAcquire()
    t.ok(third)
    t.equal(await limiter.tryAcquire(), undefined, 'a second release has no effect')
    await second.release()
    await third?.release()
    t.ok(await limiter.tryAcquire())
  })

  ask('acquire runs a function in its slot and releases the slot', async (t, backend) => {
    const mutex = new ConcurrentRateLimiter(backend, 'mutex')
    const result = await mutex.acquire(async () => {
      await t.rejects(
        mutex.acquire(() => t.fail('ran without a slot')),
        new RateLimitExceeded('mutex'),
      )
      return 'done'
    })
    t.equal(result, 'done')
    const failing = mutex.acquire(() => {
      throw new Error('inside')
    })
    await t.rejects(failing, new Error('inside'))
    t.equal(await mutex.acquire(() => 'free again'), 'free again')
  })

  ask('of many concurrent attempts on a mutex one succeeds', async (t, backend) => {
    const slots = await Promise.all(
      Array.from({ length: 20 }, () => new ConcurrentRateLimiter(backend, 'mutex').tryAcquire()),
    )
    t.equal(slots.filter(Boolean).length, 1)
  })

  ask('a bucket grants its limit of slots, and so does the next bucket', async (t, backend) => {
    const clock = at(backend, 1_795_414_007_986)
    const limiter = new BucketRateLimiter(clock, 'bucket', { limit: 2, bucket: '1m' })
    t.same(await granted(limiter, 3), [true, true, false])
    await (await limiter.tryAcquire())?.release()
    clock.time = 1_795_414_019_999
    t.same(await granted(limiter, 1), [false], 'still the same minute')
    clock.time++
    t.same(await granted(limiter, 3), [true, true, false])
  })

  ask('a window ends at the current time', async (t, backend) => {
    const clock = at(backend, 1_795_414_007_900)
    const limiter = new WindowRateLimiter(clock, 'window', { limit: 3, window: '1m' })
    t.same(await granted(limiter, 2), [true, true])
    clock.time += 20_000
    t.same(await granted(limiter, 2), [true, false])
    clock.time += 20_000
    t.same(await granted(limiter, 1), [false])
    clock.time += 20_000
    t.same(await granted(limiter, 3), [true, true, false], 'the first two have left the window')
  })

  ask('RateLimitExceeded contains the time until a slot may be free', async (t, backend) => {
    const clock = at(backend, 1_795_414_007_900)
    const bucket = new BucketRateLimiter(clock, 'minutely', { bucket: '1m' })
    await bucket.acquire()
    t.equal(await retryAfter(bucket), 12_100, 'when the next bucket begins')

    const window = new WindowRateLimiter(clock, 'sliding', { limit: 2, window: '1m' })
    await window.acquire()
    clock.time += 20_000
    await window.acquire()
    t.equal(await retryAfter(window), 39_100, 'when the first one leaves the window')
    clock.time += 39_100
    await window.acquire()
    t.equal(await retryAfter(window), 20_000, 'when the second one does')

    const mutex = new ConcurrentRateLimiter(clock, 'mutex')
    await mutex.acquire()
    t.equal(await retryAfter(mutex), undefined, 'the slot may be released at any time')
  })

  ask('keys are separate', async (t, backend) => {
    const one = new ConcurrentRateLimiter(backend, 'one')
    const other = new ConcurrentRateLimiter(backend, 'other')
    t.ok(await one.tryAcquire())
    t.ok(await other.tryAcquire())
  })

  ask('a barrier opens when all parties have arrived', async (t, backend) => {
    const barrier = new Barrier(backend, 'barrier')
    t.equal(await barrier.create(3), true)
    t.equal(await barrier.create(3), false, 'it exists already')
    t.equal(await barrier.wait({ block: false }), false)
    t.equal(await barrier.wait({ block: false }), false)
    t.equal(await barrier.wait({ block: false }), true)
    t.equal(await barrier.wait({ block: false }), true, 'so does a party that arrives twice')
  })

  ask('the last party wakes those that wait at a barrier', async (t, backend) => {
    const barrier = new Barrier(backend, 'barrier')
    await barrier.create(3)
    const waiting = Promise.all([barrier.wait({ timeout: '10s' }), barrier.wait()])
    // Nothing raises the count, so it stays at 1 or less once both have arrived.
    await until(() => backend.incr('barrier', 0, 1, 60_000), 'the two to arrive')
    t.equal(await barrier.wait({ block: false }), true)
    t.same(await waiting, [true, true])
  })

  ask(
    'a wait at a barrier, and the ttl of a limiter, may be longer than the longest timer of Node',
    async (t, backend) => {
      for (const long of ['365d', Number.MAX_SAFE_INTEGER] as const) {
        const barrier = new Barrier(backend, `barrier-${long}`, { ttl: long })
        await barrier.create(2)
        const waiting = barrier.wait({ timeout: long })
        await pause(30)
        t.equal(await barrier.wait({ timeout: long }), true)
        t.equal(await inTime(waiting, 'the last one'), true)
        const mutex = new ConcurrentRateLimiter(backend, `mutex-${long}`, { limit: 1, ttl: long })
        t.equal(await mutex.acquire(() => mutex.tryAcquire()), undefined)
      }
    },
  )

  ask('a wait at a barrier ends after its timeout', async (t, backend) => {
    const barrier = new Barrier(backend, 'barrier')
    await barrier.create(2)
    t.equal(await barrier.wait({ timeout: 30 }), false)
  })

  ask('a barrier that no longer exists is open', async (t, backend) => {
    t.equal(await new Barrier(backend, 'gone').wait({ block: false }), true)
  })
}

/** The `retryAfter` of an attempt that finds no slot. */
async function retryAfter(limiter: RateLimiter): Promise<number | undefined> {
  const error: unknown = await limiter.acquire().catch((reason: unknown) => reason)
  if (error instanceof RateLimitExceeded) return error.retryAfter
  throw new Error('There was a slot.')
}

/** Whether each of some attempts in a row gets a slot. */
async function granted(limiter: RateLimiter, times: number): Promise<boolean[]> {
  const results: boolean[] = []
  for (let count = 0; count < times; count++) results.push((await limiter.tryAcquire()) !== undefined)
  return results
}

/** The backend with a fixed time, which determines the names of windows and buckets. */
function at(backend: RateLimitBackend, time: number): RateLimitBackend & { time: number } {
  return {
    time,
    now() {
      return this.time
    },
    add: (...args) => backend.add(...args),
    incr: (...args) => backend.incr(...args),
    decr: (...args) => backend.decr(...args),
    incrAndSum: (...args) => backend.incrAndSum(...args),
    read: async (keys) => (await backend.read?.(keys)) ?? [],
    wait: (...args) => backend.wait(...args),
    notify: (...args) => backend.notify(...args),
  }
}
