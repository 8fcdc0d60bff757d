/**
 * The state of rate limiters in Redis, as Dramatiq keeps it: under the limiter's key a decimal number with a time to
 * live. On a Redis Cluster the keys of a window limiter and of a barrier must have a hash tag.
 */
import { BrokerClosed } from '../../lib/errors.js'
import type { RateLimitBackend } from '../../lib/rate-limits/backend.js'
import { defaultTimeout } from './connection/call-options.js'
import { isClientOption } from './connection/client.js'
import { connectionOptionNames, type RedisConnectionOptions, readConnection } from './connection/options.js'
import { retryIdempotent } from './connection/retry.js'
import { replyTimeout } from './connection/subscriptions.js'
import { script } from './scripts.js'
import { SharedConnections } from './shared-connections.js'

export class RedisRateLimits implements RateLimitBackend {
  readonly #connections: SharedConnections
  #closed = false

  /** Connects on first use, and shares the connections of a broker with the same settings. */
  constructor(options: RedisConnectionOptions = {}) {
    this.#connections = SharedConnections.open(
      readConnection(options, connectionOptionNames, 'RedisRateLimits', isClientOption),
    )
  }

  get #open(): SharedConnections {
    if (this.#closed) throw new BrokerClosed()
    return this.#connections
  }

  async add(key: string, value: number, ttl: number): Promise<boolean> {
    const answer = await this.#open.commands.call((client) => client.set(key, value, 'PX', Math.max(1, ttl), 'NX'))
    return answer === 'OK'
  }

  incr(key: string, amount: number, maximum: number, ttl: number): Promise<boolean> {
    return this.#change(key, amount, Number.MIN_SAFE_INTEGER, maximum, ttl)
  }

  decr(key: string, amount: number, minimum: number, ttl: number, timeout = defaultTimeout): Promise<boolean> {
    return this.#change(key, -amount, minimum, Number.MAX_SAFE_INTEGER, ttl, replyTimeout(timeout))
  }

  async #change(
    key: string,
    amount: number,
    minimum: number,
    maximum: number,
    ttl: number,
    timeout = defaultTimeout,
  ): Promise<boolean> {
    const args = [amount, minimum, maximum, Math.max(1, ttl)]
    return (await this.#open.commands.run(script('change-counter'), [key], args, { timeout })) === 1
  }

  async incrAndSum(
    key: string,
    keys: readonly string[],
    amount: number,
    maximum: number,
    ttl: number,
  ): Promise<boolean> {
    const args = [amount, maximum, Math.max(1, ttl)]
    return (await this.#open.commands.run(script('raise-within-sum'), [key, ...keys], args)) === 1
  }

  async read(keys: readonly string[]): Promise<readonly number[]> {
    const values = await this.#open.commands.call((client) => client.mget([...keys]))
    return values.map(Number)
  }

  async wait(key: string, timeout: number): Promise<boolean> {
    const { commands, subscriptions } = this.#open
    const read = async (readTimeout: number): Promise<true | undefined> =>
      (await retryIdempotent(readTimeout, (attempt) => commands.call((client) => client.exists(key), attempt))) === 1
        ? true
        : undefined
    return (await subscriptions.waitFor({ owner: this, channel: channel(key), read, timeout })) ?? false
  }

  /** Runs an idempotent script, with retries. Scripts that change a counter aren't retried: they would count twice. */
  async notify(key: string, ttl: number): Promise<void> {
    const { commands } = this.#open
    const args = [Math.max(1, ttl), channel(key)]
    await retryIdempotent(defaultTimeout, (attempt) => commands.run(script('notify'), [key], args, attempt))
  }

  now(): number {
    return Date.now()
  }

  /** Releases the connections. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#connections.subscriptions.endFor(this)
    this.#connections.release()
  }
}

function channel(key: string): string {
  return `dramatis:event:${key}`
}
