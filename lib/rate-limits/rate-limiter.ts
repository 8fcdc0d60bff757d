/**
 * What every rate limiter has in common: how a slot is asked for, and given back.
 */
import { RateLimitExceeded } from '../errors.js'
import { getLogger } from '../logger.js'
import { count, expected } from '../options.js'
import { type Duration, parseDuration, show } from '../time.js'
import type { RateLimitBackend } from './backend.js'

/** Leave to do one thing. Works with `await using slot = await limiter.acquire()` as well. */
export interface Slot extends AsyncDisposable {
  /** Gives the slot back, where the limiter counts who is at it; done twice, it is done once. */
  release(): Promise<void>
}

/**
 * The base of the rate limiters. Everybody who makes one with the same backend and the same key shares its slots,
 * in whatever process and thread (Python's included, on Redis).
 *
 * A limit that is exceeded inside an actor puts the message back until there may be a slot, with no attempt counted.
 */
export abstract class RateLimiter {
  /**
   * @param backend Where the counts are kept.
   * @param key Names what is limited.
   */
  constructor(
    readonly backend: RateLimitBackend,
    readonly key: string,
  ) {
    if (typeof key !== 'string' || key === '') throw expected("a text that isn't empty", key, 'key')
    if (typeof backend?.incr !== 'function') {
      throw expected(`a rate limit backend, such as new MemoryRateLimits()`, backend, 'backend')
    }
  }

  /** Counts one more, if there is room for it. */
  protected abstract take(): Promise<boolean>

  /** In how many milliseconds there may be a slot, where that can be told; asked when there was none. */
  protected async retryAfter(): Promise<number | undefined> {
    return undefined
  }

  /** Counts one less, where that is how the limit works. */
  protected async giveBack(): Promise<void> {}

  /**
   * Takes a slot and runs `run` in it: gives back what that returns, and the slot whatever happens. Without `run` it
   * resolves to the slot, which you give back yourself.
   *
   * @example await limiter.acquire(() => fetch(url))
   * @throws {RateLimitExceeded} when there is none free; it doesn't wait for one.
   */
  acquire(): Promise<Slot>
  acquire<T>(run: () => T | Promise<T>): Promise<T>
  async acquire<T>(run?: () => T | Promise<T>): Promise<T | Slot> {
    if (run !== undefined && typeof run !== 'function') throw expected('a function', run, 'run')
    const slot = await this.tryAcquire()
    if (!slot) {
      // Not to know when is no reason to fail otherwise.
      throw new RateLimitExceeded(this.key, { retryAfter: await this.retryAfter().catch(() => undefined) })
    }
    if (!run) return slot
    try {
      return await run()
    } finally {
      await slot.release().catch((error: unknown) => {
        // What ran is done; the slot frees itself when its time to live is over.
        getLogger().warn({ err: error, key: this.key }, `A slot of ${show(this.key)} could not be given back`)
      })
    }
  }

  /** Takes a slot if one is free; resolves to `undefined` if not. */
  async tryAcquire(): Promise<Slot | undefined> {
    if (!(await this.take())) return undefined
    let released: Promise<void> | undefined
    const release = (): Promise<void> => {
      released ??= this.giveBack()
      return released
    }
    return { release, [Symbol.asyncDispose]: release }
  }
}

/** Reads how many slots there are. */
export function readLimit(value: unknown): number {
  if (count(value, 'limit') === 0) throw expected('1 or more', value, 'limit')
  return value as number
}

/** Reads a duration that can't be nothing. */
export function readSpan(value: Duration, name: string): number {
  const milliseconds = parseDuration(value, name)
  if (milliseconds === 0) throw expected('1 ms or more', value, name)
  return milliseconds
}
