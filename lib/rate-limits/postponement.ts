/**
 * What becomes of a message whose actor found no slot of a rate limiter free: it goes back to wait, as if it hadn't been
 * tried. How long is the limiter's affair, where it can tell; how far those who wait are spread out grows with how often a
 * message has waited in vain, so that many of them don't come back all at once, time and again.
 */
import type { RateLimitExceeded } from '../errors.js'
import type { Message } from '../message.js'
import { countOf } from '../options.js'
import type { Outcome } from '../outcome.js'
import { backoff } from '../time.js'

/** How often a message has waited in vain since its last attempt. On the wire, where Python leaves it alone. */
const option = 'rate_limit_waits'

/** Where nobody knows when a slot will be free: from 200 ms up to half a minute. */
const unknown = { factor: 200, max: 30_000 }

/** Where that is known, so many milliseconds at most are drawn on top of it. */
const spread = { first: 500, most: 30_000 }

/** How often a message has waited in vain. */
export function waitsOf(message: Message): number {
  return countOf(message, option)
}

/** Puts the message of a failed acquisition back, with no attempt counted. */
export function postpone(message: Message, outcome: Outcome, error: RateLimitExceeded): void {
  const waits = waitsOf(message)
  const copy = message.with({ options: { ...message.options, [option]: waits + 1 } })
  outcome.postpone(copy, waitingTime(waits, error.retryAfter))
}

/** The options of a message that was tried: the next time it waits it does so for the first time. */
export function withoutWaits({ [option]: _, ...options }: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return options
}

/**
 * How long to wait, in milliseconds.
 * @param waits How often it has waited already.
 * @param retryAfter When there may be a slot, as the limiter knows it.
 */
export function waitingTime(waits: number, retryAfter: number | undefined, random = Math.random): number {
  if (!Number.isFinite(retryAfter) || (retryAfter as number) < 0) return backoff(waits, { ...unknown, random })
  const most = Math.min(spread.first * 2 ** Math.min(waits, 32), spread.most)
  return Math.ceil((retryAfter as number) + random() * most)
}
