/** Time: the clock for all timers, durations as people write them, and the backoff. */
import ms from 'ms'
import { expected } from './checks.js'

/**
 * The source of time and timers of a broker and its middleware. The system's clock by default; the MemoryBroker has one
 * that a test can move.
 */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Calls back once after `delay` milliseconds; the handle is for `clearTimeout`. */
  setTimeout(callback: () => void, delay: number): unknown
  clearTimeout(timer: unknown): void
}

/** The system's clock. Its timers don't keep a process alive. */
export const systemClock: Clock = {
  now: Date.now,
  setTimeout: (callback, delay) => startTimer(callback, delay).unref(),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
}

/** Node's timers fire immediately if their delay is longer than this (2^31 - 1 ms, about 24.8 days). */
export const longestTimeout = 2_147_483_647

/**
 * Calls back once after `delay` milliseconds of real time, of any length; for what must not follow a clock that a test
 * moves. The timer is Node's own: it keeps the process alive unless it is unref'ed, and is cleared with `clearTimeout`.
 */
export function startTimer(callback: () => void, delay: number): NodeJS.Timeout {
  if (delay <= longestTimeout) return setTimeout(callback, delay)
  // The same timer is refreshed, each time for an equal part of the delay.
  let parts = Math.ceil(Math.min(delay, Number.MAX_SAFE_INTEGER) / longestTimeout)
  const timer = setTimeout(() => {
    if (--parts > 0) timer.refresh()
    else callback()
  }, Math.min(delay, Number.MAX_SAFE_INTEGER) / parts)
  return timer
}

/**
 * Calls back every `interval` milliseconds of real time, at least every 24.8 days. The timer is Node's own: clear it
 * with `clearInterval`.
 */
export function startInterval(callback: () => void, interval: number): NodeJS.Timeout {
  return setInterval(callback, Math.min(interval, longestTimeout))
}

/** Resolves after `delay` milliseconds of real time, and keeps the process alive until then. */
export function pause(delay: number): Promise<void> {
  return new Promise((resolve) => startTimer(resolve, delay))
}

/**
 * Waits for a promise, `timeout` milliseconds at most, and keeps the process alive until then. A later result or error
 * is ignored.
 * @returns Whether it resolved in time; rejects if it rejected in time.
 */
export async function settlesWithin(timeout: number, work: Promise<unknown>): Promise<boolean> {
  if (timeout === Number.POSITIVE_INFINITY) {
    await work
    return true
  }
  let timer: NodeJS.Timeout | undefined
  const enough = new Promise<false>((resolve) => {
    timer = startTimer(() => resolve(false), timeout)
  })
  try {
    return await Promise.race([work.then(() => true), enough])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * The longest duration, in milliseconds: some 100,000 years. Added to the current time it is still a date, and a whole
 * number that every database and JSON preserve.
 */
const longestDuration = 3_153_600_000_000_000

/**
 * Reads a duration into whole milliseconds, limited to 100,000 years.
 *
 * @param name The name of the duration in the caller's options, for the error.
 * @throws {InvalidOption} if it is negative, not finite, or a string that `ms` can't read.
 */
export function parseDuration(value: unknown, name: string): number {
  let parsed: number | undefined
  if (typeof value === 'number') parsed = value
  else if (typeof value === 'string' && value !== '' && value.length <= 100) parsed = ms(value as ms.StringValue)
  if (parsed === undefined || !Number.isFinite(parsed) || parsed < 0) {
    throw expected('a duration: milliseconds from 0 up, or a string such as "15s", "5m" or "7d"', value, name)
  }
  return Math.min(Math.round(parsed), longestDuration)
}

/** A deadline for several steps: each gets the time that is left. */
export class Deadline {
  readonly #at: number

  /** @param span The time until the deadline, in milliseconds. */
  constructor(span: number) {
    this.#at = performance.now() + span
  }

  /** How many milliseconds are left; 0 after the deadline. */
  get left(): number {
    return Math.max(0, this.#at - performance.now())
  }
}

/** A duration in words, rounded: `'30 seconds'`. */
export function showDuration(milliseconds: number): string {
  return ms(milliseconds, { long: true })
}

/** Dramatiq never waits longer than this for a retry: seven days, in milliseconds. */
export const longestBackoff = 604_800_000

/**
 * The delay before the next attempt, in milliseconds: exponential with jitter, Dramatiq's formula
 * (`dramatiq.common.compute_backoff`; captured in `test/vectors/backoff.json`).
 *
 * With `base = factor · 2^min(attempts, 32)` the delay is uniformly distributed over `base … 2·base`; if that exceeds
 * `max`, over `max/2 … max`.
 *
 * @param attempts How many retries there were before this one, from 0.
 * @param jitter Whether the delay is random; without it it is `base`, or `max` if that is less.
 * @param random A source of numbers from 0 up to 1.
 */
export function backoff(
  attempts: number,
  {
    factor,
    max,
    jitter = true,
    random = Math.random,
  }: { factor: number; max: number; jitter?: boolean; random?: () => number },
): number {
  const base = factor * 2 ** Math.min(attempts, 32)
  if (!jitter) return Math.trunc(Math.min(base, max))
  const delay = Math.trunc(base * (1 + random()))
  return delay > max ? Math.trunc(max * (0.5 + random() / 2)) : delay
}
