/** The base class of rate limiters: acquiring and releasing slots. */
import { expected, show } from '../checks.js'
import type { Duration } from '../duration.js'
import { RateLimitExceeded } from '../errors.js'
import { getLogger } from '../logger.js'
import { count } from '../options.js'
import { parseDuration } from '../time.js'
import type { RateLimitBackend } from './backend.js'

/** An acquired slot. Also works with `await using slot = await limiter.acquire()`. */
export interface Slot extends AsyncDisposable {
  /** Releases the slot, if the limiter counts holders. A second call does nothing. */
  release(): Promise<void>
}

/**
 * The base class of rate limiters. Limiters with the same backend and key share their slots, in any process and thread
 * (Python's included, on Redis).
 *
 * Exceeding a limit inside an actor postpones the message until there may be a slot, with no attempt counted.
 */
export abstract class RateLimiter {
  /**
   * @param backend Stores the counts.
   * @param key The name of the limit.
   */
  constructor(
    readonly backend: RateLimitBackend,
    readonly key: string,
  ) {
    if (typeof key !== 'string' || key === '') throw expected('a non-empty string', key, 'key')
    if (typeof backend?.incr !== 'function') {
      throw expected(`a rate limit backend, such as new MemoryRateLimits()`, backend, 'backend')
    }
  }

  /** Acquires a slot if one is free. */
  protected abstract take(): Promise<boolean>

  /** In how many milliseconds there may be a slot, if known; called if there was none. */
  protected async retryAfter(): Promise<number | undefined> {
    return undefined
  }

  /** Releases a slot, if the limit counts holders. */
  protected async giveBack(): Promise<void> {}

  /**
   * Acquires a slot and calls `run` in it: returns its result, and releases the slot in any case. Without `run` it
   * resolves to the slot, which the caller must release.
   *
   * @example await limiter.acquire(() => fetch(url))
   * @throws {RateLimitExceeded} if no slot is free; it doesn't wait for one.
   */
  acquire(): Promise<Slot>
  acquire<T>(run: () => T | Promise<T>): Promise<T>
  async acquire<T>(run?: () => T | Promise<T>): Promise<T | Slot> {
    if (run !== undefined && typeof run !== 'function') throw expected('a function', run, 'run')
    const slot = await this.tryAcquire()
    if (!slot) {
      // An unknown time is no reason for another error.
      throw new RateLimitExceeded(this.key, { retryAfter: await this.retryAfter().catch(() => undefined) })
    }
    if (!run) return slot
    try {
      return await run()
    } finally {
      await slot.release().catch((error: unknown) => {
        // `run` has finished; the slot becomes free when its time to live is over.
        getLogger().warn({ err: error, key: this.key }, `A slot of ${show(this.key)} could not be released`)
      })
    }
  }

  /** Acquires a slot if one is free; resolves to `undefined` if not. */
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

/** Reads the number of slots. */
export function readLimit(value: unknown): number {
  if (count(value, 'limit') === 0) throw expected('1 or more', value, 'limit')
  return value as number
}

/** Reads a duration over 0. */
export function readSpan(value: Duration, name: string): number {
  const milliseconds = parseDuration(value, name)
  if (milliseconds === 0) throw expected('1 ms or more', value, name)
  return milliseconds
}
