/**
 * The state of rate limiters in Redis, as Dramatiq keeps it: the limiter's key is the key, its value a decimal number
 * with a time to live. On a Redis Cluster the keys of a window limiter and of a barrier must be hash-tagged.
 */
import type { RateLimitBackend } from '../../lib/rate-limits/backend.js'
import { isClientOption } from './client.js'
import { Connection } from './connection.js'
import { connectionOptionNames, type RedisConnectionOptions, readConnection } from './options.js'
import { script } from './scripts.js'

export class RedisRateLimits implements RateLimitBackend {
  readonly #connection: Connection
  #closed = false

  /** Connects on first use, and shares the connections of a broker with the same settings. */
  constructor(options: RedisConnectionOptions = {}) {
    this.#connection = Connection.open(
      readConnection(options, connectionOptionNames, 'RedisRateLimits', isClientOption),
    )
  }

  async add(key: string, value: number, ttl: number): Promise<boolean> {
    const answer = await this.#connection.commands.call((client) =>
      client.set(key, value, 'PX', Math.max(1, ttl), 'NX'),
    )
    return answer === 'OK'
  }

  incr(key: string, amount: number, maximum: number, ttl: number): Promise<boolean> {
    return this.#change(key, amount, Number.MIN_SAFE_INTEGER, maximum, ttl)
  }

  decr(key: string, amount: number, minimum: number, ttl: number): Promise<boolean> {
    return this.#change(key, -amount, minimum, Number.MAX_SAFE_INTEGER, ttl)
  }

  async #change(key: string, amount: number, minimum: number, maximum: number, ttl: number): Promise<boolean> {
    const args = [amount, minimum, maximum, Math.max(1, ttl)]
    return (await this.#connection.commands.run(script('change-counter'), [key], args)) === 1
  }

  async incrAndSum(
    key: string,
    keys: readonly string[],
    amount: number,
    maximum: number,
    ttl: number,
  ): Promise<boolean> {
    const args = [amount, maximum, Math.max(1, ttl)]
    return (await this.#connection.commands.run(script('raise-within-sum'), [key, ...keys], args)) === 1
  }

  async wait(key: string, timeout: number): Promise<boolean> {
    const look = async (): Promise<true | undefined> =>
      (await this.#connection.commands.call((client) => client.exists(key))) === 1 ? true : undefined
    return (await this.#connection.ears.waitFor(channel(key), look, timeout)) ?? false
  }

  async notify(key: string, ttl: number): Promise<void> {
    await this.#connection.commands.run(script('notify'), [key], [Math.max(1, ttl), channel(key)])
  }

  now(): number {
    return Date.now()
  }

  /** Lets go of the connection. */
  async close(): Promise<void> {
    if (!this.#closed) this.#connection.release()
    this.#closed = true
  }
}

function channel(key: string): string {
  return `dramatis:event:${key}`
}
