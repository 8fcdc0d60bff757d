/**
 * The contract tests that every rate limit backend must pass: its counters, and the limiters and the barrier on them.
 */
import type { RateLimitBackend } from '../../lib/rate-limits/backend.js'
import { ContractTest, type Teardowns, type TestFunction } from './contract-test.js'
import { type Ask, limiters } from './rate-limits/limiters.js'
import { until } from './waiting.js'

type Awaitable<T> = T | Promise<T>

/** Makes a backend on its own empty store. What is to be done after the test, closing it included, is told to `t`. */
export type MakeRateLimits = (t: Teardowns) => Awaitable<RateLimitBackend>

/** What `rateLimitsContract` needs. */
export interface RateLimitsContractOptions {
  /** The function of the test runner that registers a test. */
  test: TestFunction
  /** The name of the backend in the titles. */
  name: string
  /** Makes a backend on its own empty store. */
  make: MakeRateLimits
  /** Makes another backend on the store of `backend`, as in another process. Absent if no other process can reach it. */
  another?(backend: RateLimitBackend): Awaitable<RateLimitBackend>
}

const ttl = 60_000

/**
 * Registers the contract tests of rate limit backends: of their counters, and of the limiters and the barrier on them.
 *
 * @example
 * import { test } from 'node:test'
 * rateLimitsContract({ test, name: 'MyRateLimits', make: () => new MyRateLimits() })
 */
export function rateLimitsContract({ test, name, make, another }: RateLimitsContractOptions): void {
  const ask: Ask = (title, answer) => {
    ContractTest.register(test, `${name}: ${title}`, [], async (t) => answer(t, await make(t)))
  }

  ask('add sets a key only if it is absent', async (t, backend) => {
    t.equal(await backend.add('key', 3, ttl), true)
    t.equal(await backend.add('key', 9, ttl), false)
    t.equal(await backend.incr('key', 1, 4, ttl), true, 'it was 3')
    t.equal(await backend.add('other', 1, ttl), true)
  })

  ask('incr goes up to the maximum; a refusal changes nothing', async (t, backend) => {
    t.equal(await backend.incr('key', 1, 2, ttl), true, 'what is absent counts as 0')
    t.equal(await backend.incr('key', 2, 2, ttl), false)
    t.equal(await backend.incr('key', 1, 2, ttl), true)
    t.equal(await backend.incr('key', 1, 2, ttl), false)
    t.equal(await backend.incr('key', 1, 3, ttl), true)
    t.equal(await backend.incr('none', 2, 1, ttl), false)
  })

  ask('decr goes down to the minimum; a refusal changes nothing', async (t, backend) => {
    await backend.add('key', 3, ttl)
    t.equal(await backend.decr('key', 3, 1, ttl), false)
    t.equal(await backend.decr('key', 2, 1, ttl), true)
    t.equal(await backend.decr('key', 1, 1, ttl), false)
    t.equal(await backend.decr('key', 1, 0, ttl), true)
    t.equal(await backend.decr('none', 1, 0, ttl), false, 'what is absent counts as 0')
    t.equal(await backend.add('none', 1, ttl), true, 'and stays absent when refused')
  })

  ask('incrAndSum checks the sum as well', async (t, backend) => {
    await backend.add('window@1', 2, ttl)
    const keys = ['window@3', 'window@2', 'window@1']
    t.equal(await backend.incrAndSum('window@3', keys, 1, 4, ttl), true)
    t.equal(await backend.incrAndSum('window@3', keys, 1, 4, ttl), true)
    t.equal(await backend.incrAndSum('window@3', keys, 1, 4, ttl), false)
    t.equal(await backend.incrAndSum('window@4', ['window@4', 'window@3', 'window@2'], 1, 4, ttl), true)
    t.equal(await backend.incrAndSum('window@3', [], 3, 4, ttl), false, 'the key itself counts')
    t.equal(await backend.incrAndSum('window@3', [], 2, 4, ttl), true)
  })

  ask('read returns the values of keys, 0 if absent', async (t, backend) => {
    await backend.add('one', 3, ttl)
    await backend.incr('other', 2, 5, ttl)
    t.same(await backend.read?.(['other', 'none', 'one']), [2, 0, 3])
  })

  ask('a key past its time to live counts as absent', async (_, backend) => {
    await backend.add('added', 1, 30)
    await until(() => backend.add('added', 1, ttl), 'the end of what was added')
    await backend.incr('raised', 5, 5, 30)
    await until(() => backend.incr('raised', 1, 5, ttl), 'the end of what was raised')
  })

  ask('a change renews the time to live', async (t, backend) => {
    await backend.add('longer', 1, 30)
    t.equal(await backend.incr('longer', 1, 5, ttl), true)
    await backend.add('shorter', 1, ttl)
    await backend.decr('shorter', 1, 0, 30)
    await until(() => backend.add('shorter', 1, ttl), 'the end of the other')
    t.equal(await backend.add('longer', 1, ttl), false)
  })

  ask('many concurrent calls never exceed the maximum', async (t, backend) => {
    const grants = await Promise.all(Array.from({ length: 60 }, () => backend.incr('key', 1, 10, ttl)))
    t.equal(grants.filter(Boolean).length, 10)
    const sums = await Promise.all(Array.from({ length: 60 }, () => backend.incrAndSum('sum', ['sum'], 1, 7, ttl)))
    t.equal(sums.filter(Boolean).length, 7)
  })

  ask('notify wakes all current and later waits', async (t, backend) => {
    const waiting = Promise.all([backend.wait('event', 10_000), backend.wait('event', 10_000)])
    await backend.notify('event', ttl)
    t.same(await waiting, [true, true])
    t.equal(await backend.wait('event', 10_000), true)
    await backend.notify('event', ttl)
    t.equal(await backend.wait('event', 10_000), true, 'twice notified')
  })

  ask('a wait without a notification ends', async (t, backend) => {
    t.equal(await backend.wait('silence', 30), false)
    await backend.notify('elsewhere', ttl)
    t.equal(await backend.wait('silence', 30), false)
  })

  ask('a notification expires after its time to live', async (_, backend) => {
    await backend.notify('brief', 30)
    await until(async () => !(await backend.wait('brief', 10)), 'the end of the notification')
  })

  ask('now() returns the current time', async (t, backend) => {
    // A tolerance of a minute: the clock may be that of another machine.
    t.ok(Math.abs(backend.now() - Date.now()) < 60_000)
  })

  if (another) {
    ask('processes share the counts and the notifications', async (t, backend) => {
      const other = await another(backend)
      await backend.add('key', 1, ttl)
      t.equal(await other.add('key', 1, ttl), false)
      const grants = await Promise.all(
        Array.from({ length: 40 }, (_, index) => (index % 2 ? backend : other).incr('shared', 1, 10, ttl)),
      )
      t.equal(grants.filter(Boolean).length, 10)
      const waiting = other.wait('event', 10_000)
      await backend.notify('event', ttl)
      t.equal(await waiting, true)
    })
  }

  limiters(ask)
}
