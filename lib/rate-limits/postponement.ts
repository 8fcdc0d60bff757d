/**
 * Postpones a message that can't run yet, as if it had not been tried: its actor found no free slot of a rate limiter,
 * or it needs a newer worker. The limiter says how long, if it knows. The random part of the delay grows with the number of times the message has waited, so that
 * many waiting messages don't return at the same time, again and again.
 */
import { type RateLimitExceeded, UnknownVersion } from '../errors.js'
import type { Message } from '../message.js'
import { countOf } from '../options.js'
import type { Outcome } from '../outcome.js'
import { backoff } from '../time.js'

/** How often a message has waited since its last attempt. On the wire, where Python ignores it. */
const waitsOption = 'rate_limit_waits'

/** The backoff if it is unknown when a slot will be free: from 200 ms up to half a minute. */
const unknownRetryAfter = { factor: 200, max: 30_000 }

/** The backoff of a message that needs a newer worker, in milliseconds: from a second up to five minutes. */
const newerWorkerBackoff = { factor: 1000, max: 300_000 }

/** If it is known, the maximum random time added to it, in milliseconds. */
const spread = { first: 500, most: 30_000 }

/** How often a message has waited. */
export function waitsOf(message: Message): number {
  return countOf(message, waitsOption)
}

/** Postpones the message of a failed acquisition, or for a newer worker, with no attempt counted. */
export function postpone(message: Message, outcome: Outcome, error: RateLimitExceeded | UnknownVersion): void {
  const waits = waitsOf(message)
  const copy = message.with({ options: { ...message.options, [waitsOption]: waits + 1 } })
  const delay =
    error instanceof UnknownVersion ? backoff(waits, newerWorkerBackoff) : waitingTime(waits, error.retryAfter)
  outcome.postpone(copy, delay)
}

/** The options of a message after an attempt: its count of waits is reset. */
export function withoutWaits({
  [waitsOption]: _,
  ...options
}: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return options
}

/**
 * How long to wait, in milliseconds.
 * @param waits How often it has waited already.
 * @param retryAfter When there may be a slot, according to the limiter.
 */
export function waitingTime(waits: number, retryAfter: number | undefined, random = Math.random): number {
  if (!Number.isFinite(retryAfter) || (retryAfter as number) < 0)
    return backoff(waits, { ...unknownRetryAfter, random })
  const most = Math.min(spread.first * 2 ** Math.min(waits, 32), spread.most)
  return Math.ceil((retryAfter as number) + random() * most)
}
