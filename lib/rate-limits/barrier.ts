import { checkMethods } from '../checks.js'
import { ConnectionFailed } from '../errors.js'
import { count, expected, flag, refuseUnknown } from '../options.js'
import { type Duration, parseDuration } from '../time.js'
import type { RateLimitBackend } from './backend.js'
import { readSpan } from './rate-limiter.js'

export interface BarrierOptions {
  /**
   * How long the barrier stands after it was last touched.
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
  /** How long to wait for them; for ever without it. */
  timeout?: Duration | undefined
}

/** How long one wait at the backend lasts when there is no timeout: a connection that hangs is noticed. */
const round = 60_000

/**
 * Lets nobody through until everybody is there, over all processes.
 *
 * @example
 * const barrier = new Barrier(backend, 'import-42')
 * await barrier.create(3)
 * const last = await barrier.wait({ block: false })
 */
export class Barrier {
  readonly ttl: number

  /**
   * @param backend Where the count is kept.
   * @param key Names the barrier.
   */
  constructor(
    readonly backend: RateLimitBackend,
    readonly key: string,
    options: BarrierOptions = {},
  ) {
    if (typeof key !== 'string' || key === '') throw expected("a text that isn't empty", key, 'key')
    checkMethods(backend, ['incr', 'wait'], 'backend', 'a rate limit backend, such as new MemoryRateLimits()')
    refuseUnknown(options, ['ttl'], 'a Barrier')
    this.ttl = readSpan(options.ttl ?? '15m', 'ttl')
  }

  /** Sets the barrier up for so many parties. Says whether it did: `false` when it stands already. */
  async create(parties: number): Promise<boolean> {
    if (count(parties, 'parties') === 0) throw expected('1 or more', parties, 'parties')
    return this.backend.add(this.key, parties, this.ttl)
  }

  /**
   * Arrives at the barrier. The last to arrive, and everybody after, gets `true` at once and wakes those who wait; so
   * does one who comes when the barrier isn't there any more. The others wait until then and get `true`, or `false`
   * when their timeout is over first; with `block: false` they get `false` at once.
   * @throws {ConnectionFailed} when the backend was away at the end of the time given.
   */
  async wait(options: BarrierWaitOptions = {}): Promise<boolean> {
    refuseUnknown(options, ['block', 'timeout'], 'wait()')
    const { timeout } = options
    const block = flag(options.block ?? true, 'block')
    const patience = timeout === undefined ? Number.POSITIVE_INFINITY : parseDuration(timeout, 'timeout')
    const { backend, key, ttl } = this
    const events = `${key}@events`
    // The count never goes under 1, which is how the last one is known, and known again when it comes twice.
    const startedAt = backend.now()
    if (!(await backend.decr(key, 1, 1, ttl, block && timeout !== undefined ? patience : undefined))) {
      await backend.notify(events, ttl)
      return true
    }
    if (!block) return false
    for (let left = patience - Math.max(0, backend.now() - startedAt); left > 0; left -= round) {
      try {
        if (await backend.wait(events, Math.min(left, round))) return true
      } catch (error) {
        // The others may arrive all the same.
        if (!(error instanceof ConnectionFailed) || left <= round) throw error
      }
    }
    return false
  }
}
