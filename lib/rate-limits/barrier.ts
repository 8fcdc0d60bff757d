import { checkMethods, expected, refuseUnknown } from '../checks.js'
import type { Duration } from '../duration.js'
import { ConnectionFailed } from '../errors.js'
import { count, flag } from '../options.js'
import { parseDuration } from '../time.js'
import type { RateLimitBackend } from './backend.js'
import { readSpan } from './rate-limiter.js'

export interface BarrierOptions {
  /**
   * How long the barrier exists after its last change.
   * @default '15m'
   */
  ttl?: Duration | undefined
}

export interface BarrierWaitOptions {
  /**
   * Whether to wait for the others.
   * @default true
   */
  block?: boolean | undefined
  /** How long to wait. @default no limit */
  timeout?: Duration | undefined
}

/** How long one wait at the backend lasts if there is no timeout, so that a hanging connection is noticed. */
const maxWaitPerCall = 60_000

/**
 * Makes parties in any process wait until all have arrived.
 *
 * @example
 * const barrier = new Barrier(backend, 'import-42')
 * await barrier.create(3)
 * const last = await barrier.wait({ block: false })
 */
export class Barrier {
  readonly ttl: number

  /**
   * @param backend Stores the count.
   * @param key The name of the barrier.
   */
  constructor(
    readonly backend: RateLimitBackend,
    readonly key: string,
    options: BarrierOptions = {},
  ) {
    if (typeof key !== 'string' || key === '') throw expected('a non-empty string', key, 'key')
    checkMethods(backend, ['incr', 'wait'], 'backend', 'a rate limit backend, such as new MemoryRateLimits()')
    refuseUnknown(options, ['ttl'], 'a Barrier')
    this.ttl = readSpan(options.ttl ?? '15m', 'ttl')
  }

  /** Creates the barrier for a number of parties. Returns `false` if it exists already. */
  async create(parties: number): Promise<boolean> {
    if (count(parties, 'parties') === 0) throw expected('1 or more', parties, 'parties')
    return this.backend.add(this.key, parties, this.ttl)
  }

  /**
   * Arrives at the barrier. The last party, and every later one, gets `true` immediately and wakes the waiting ones; so
   * does a party that finds no barrier. The others wait for that and get `true`, or `false` after their timeout; with
   * `block: false` they get `false` immediately.
   * @throws {ConnectionFailed} if the backend can't be reached at the end of that time.
   */
  async wait(options: BarrierWaitOptions = {}): Promise<boolean> {
    refuseUnknown(options, ['block', 'timeout'], 'wait()')
    const { timeout } = options
    const block = flag(options.block ?? true, 'block')
    const timeoutMs = timeout === undefined ? Number.POSITIVE_INFINITY : parseDuration(timeout, 'timeout')
    const { backend, key, ttl } = this
    const events = `${key}@events`
    // The count never falls below 1: so the last party is recognised, also if it arrives twice.
    const startedAt = backend.now()
    if (!(await backend.decr(key, 1, 1, ttl, block && timeout !== undefined ? timeoutMs : undefined))) {
      await backend.notify(events, ttl)
      return true
    }
    if (!block) return false
    for (let left = timeoutMs - Math.max(0, backend.now() - startedAt); left > 0; left -= maxWaitPerCall) {
      try {
        if (await backend.wait(events, Math.min(left, maxWaitPerCall))) return true
      } catch (error) {
        // The other parties may arrive anyway.
        if (!(error instanceof ConnectionFailed) || left <= maxWaitPerCall) throw error
      }
    }
    return false
  }
}
