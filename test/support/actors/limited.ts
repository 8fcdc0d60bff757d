/**
 * Actors that need a slot of a rate limiter: imported by the test and, again, by its threads. Its import
 * specifier determines where messages and slots are stored.
 */
import { isMainThread } from 'node:worker_threads'
import { MemoryBroker, MemoryRateLimits } from '../../../brokers/memory/index.js'
import { RedisBroker, RedisRateLimits } from '../../../brokers/redis/index.js'
import { SQLiteBroker, SQLiteRateLimits } from '../../../brokers/sqlite/index.js'
import { actor, type Broker, current, getBroker, type RateLimitBackend, RateLimitExceeded } from '../../../lib/index.js'
import { ConcurrentRateLimiter, WindowRateLimiter } from '../../../lib/rate-limits/index.js'

const address = new URL(import.meta.url).searchParams.get('at') as string

function open(): [Broker, RateLimitBackend & { close?(): Promise<void> }] {
  if (address.startsWith('redis:')) return [new RedisBroker({ url: address }), new RedisRateLimits({ url: address })]
  if (address !== 'memory') return [new SQLiteBroker({ path: address }), new SQLiteRateLimits({ path: address })]
  return [isMainThread ? new MemoryBroker() : getBroker(), new MemoryRateLimits({ name: 'limited' })]
}

export const [broker, backend] = open()

const one = new ConcurrentRateLimiter(backend, 'one')
const perSecond = new WindowRateLimiter(backend, 'per second', { limit: 2 })
const shared = { broker, storeResults: true, maxRetries: 3 } as const

/** Holds the only slot for a while; returns the number of the attempt. */
export const exclusive = actor(
  () =>
    one.acquire(async () => {
      await new Promise((resolve) => setTimeout(resolve, 30))
      return current().message.options.retries ?? 0
    }),
  { ...shared, actorName: 'exclusive' },
)

/** Waits for the time that its limit returned. */
export const told = actor(
  () => {
    throw new RateLimitExceeded('elsewhere', { retryAfter: 60_000 })
  },
  { ...shared, actorName: 'told' },
)

/** Gets a slot twice a second. */
export const limited = actor(() => perSecond.acquire(() => current().message.options.retries ?? 0), {
  ...shared,
  actorName: 'limited',
})
