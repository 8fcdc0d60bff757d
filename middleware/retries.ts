/**
 * Retries failed messages: exponential backoff with jitter, with Dramatiq's formula and options.
 *
 * When an actor throws, the failed attempt is counted in the options of a copy; the copy is sent with a delay and the
 * old message acknowledged, in one step. When all attempts are used up (`maxRetries` + 1 in all), or if the actor lists
 * the error in `throws`, the message is dead-lettered.
 *
 * `RateLimitExceeded` isn't a failure: the message waits until there may be a slot, and no attempt is counted.
 *
 * Remove it if messages must run at most once; or set `maxRetries: 0` for single actors.
 */

import type { ActorHandle } from '../lib/actor-contract.js'
import type { Broker } from '../lib/broker.js'
import { expected, refuseUnknown } from '../lib/checks.js'
import type { Duration } from '../lib/duration.js'
import { markOf } from '../lib/error-marks.js'
import {
  ActorNotFound,
  InvalidArguments,
  MigrationFailed,
  NotSerializable,
  RateLimitExceeded,
  Retry,
  UnknownVersion,
} from '../lib/errors.js'
import { summary, traceback } from '../lib/failure.js'
import { getLogger } from '../lib/logger.js'
import type { Message } from '../lib/message.js'
import type { AnyActor, Middleware } from '../lib/middleware.js'
import {
  actorReference,
  callback,
  count,
  countOf,
  declareOptions,
  duration,
  effective,
  flag,
  nullable,
} from '../lib/options.js'
import type { Outcome } from '../lib/outcome.js'
import { postpone, withoutWaits } from '../lib/rate-limits/postponement.js'
import { classNames } from '../lib/thrown.js'
import { backoff, longestBackoff, parseDuration } from '../lib/time.js'

/** An error class, or the name of one. A name also matches errors from worker threads. */
// biome-ignore lint/suspicious/noExplicitAny: constructors of any arguments
export type ErrorClass = (abstract new (...args: any[]) => Error) | string

declare module '../lib/actor-options.js' {
  interface MessageOptions {
    /**
     * How often a failed message is retried; `null` for no limit.
     * @default 20
     */
    maxRetries?: number | null | undefined
    /**
     * The delay before the first retry; it doubles with each.
     * @default '15s'
     */
    minBackoff?: Duration | undefined
    /**
     * The longest delay, 7 days at most.
     * @default '7d'
     */
    maxBackoff?: Duration | undefined
    /**
     * The actor to call once the retries are used up, with the message and `{ retries, max_retries }`.
     */
    // biome-ignore lint/suspicious/noExplicitAny: an actor of any signature
    onRetryExhausted?: ActorHandle<any, any> | string | undefined
  }

  interface ActorOptions {
    /** Errors for which another attempt is pointless: the message is dead-lettered immediately. */
    throws?: ErrorClass | readonly ErrorClass[] | undefined
    /**
     * Decides instead of `maxRetries`: called with the number of retries so far (from 0) and the error; returns whether
     * to retry. Errors of your own classes arrive from threads as plain Errors with the same `name`.
     */
    retryWhen?: ((retries: number, error: Error) => boolean) | undefined
    /**
     * Whether the delay is randomised around the backoff, so that messages that failed together aren't retried
     * together.
     * @default true
     */
    jitter?: boolean | undefined
    /**
     * Whether an attempt that found no free slot of a rate limiter (`RateLimitExceeded`) is a failed one, which counts
     * towards `maxRetries`. Otherwise the message waits until there is a slot, however often.
     * @default false
     */
    countRateLimitExceeded?: boolean | undefined
  }
}

declareOptions({
  maxRetries: { wire: 'max_retries', read: nullable(count) },
  minBackoff: { wire: 'min_backoff', read: duration },
  maxBackoff: { wire: 'max_backoff', read: duration },
  onRetryExhausted: { wire: 'on_retry_exhausted', read: actorReference },
  retryWhen: { read: callback },
  jitter: { read: flag },
  countRateLimitExceeded: { read: flag },
  throws: {
    read(value, name) {
      const classes = Array.isArray(value) ? value : [value]
      if (classes.every((one) => typeof one === 'function' || typeof one === 'string')) return classes
      throw expected('an error class, its name, or an array of these', value, name)
    },
  },
})

export interface RetriesOptions {
  /** The default for actors and messages. @default 20 */
  maxRetries?: number | null | undefined
  /** @default '15s' */
  minBackoff?: Duration | undefined
  /** @default '7d' */
  maxBackoff?: Duration | undefined
  /** @default true */
  jitter?: boolean | undefined
  /** @default none */
  retryWhen?: ((retries: number, error: Error) => boolean) | undefined
}

export class Retries implements Middleware {
  readonly essential = true
  readonly #maxRetries: number | null
  readonly #minBackoff: number
  readonly #maxBackoff: number
  readonly #jitter: boolean
  readonly #retryWhen: RetriesOptions['retryWhen']
  /** Messages that have used up their attempts. */
  readonly #exhausted = new WeakSet<Outcome>()

  constructor(options: RetriesOptions = {}) {
    refuseUnknown(options, ['maxRetries', 'minBackoff', 'maxBackoff', 'jitter', 'retryWhen'], 'Retries')
    const { maxRetries = 20, minBackoff = '15s', maxBackoff = '7d', jitter = true, retryWhen } = options
    if (retryWhen !== undefined) callback(retryWhen, 'retryWhen')
    this.#maxRetries = nullable(count)(maxRetries, 'maxRetries')
    this.#minBackoff = duration(minBackoff, 'minBackoff')
    this.#maxBackoff = duration(maxBackoff, 'maxBackoff')
    this.#jitter = flag(jitter, 'jitter')
    this.#retryWhen = retryWhen
  }

  wantsResult(): boolean {
    return false
  }

  maxDeliveries(message: Message, actor: AnyActor): number {
    const maxRetries = effective(message, actor, 'maxRetries', this.#maxRetries)
    return maxRetries === null ? Number.POSITIVE_INFINITY : maxRetries + 1 - retriesOf(message)
  }

  afterProcessMessage(message: Message, outcome: Outcome, broker: Broker): void {
    const { error } = outcome
    if (!error || outcome.decided) return
    const actor = broker.actors.get(message.actorName)
    if (isNotRetryable(error, actor?.options.throws as readonly ErrorClass[] | undefined)) {
      return outcome.deadLetter(`${summary(error)} (not to be retried)`)
    }
    const isRateLimited = error instanceof RateLimitExceeded && !actor?.options.countRateLimitExceeded
    if (isRateLimited || error instanceof UnknownVersion) return postpone(message, outcome, error)
    const retries = retriesOf(message)
    const copy = message.with({
      options: {
        ...withoutWaits(message.options),
        retries: retries + 1,
        traceback: traceback(error),
        requeue_timestamp: broker.clock.now(),
      },
    })
    const maxRetries = effective(message, actor, 'maxRetries', this.#maxRetries)
    const retryWhen = (actor?.options.retryWhen as RetriesOptions['retryWhen']) ?? this.#retryWhen
    if (!retryWhen && maxRetries !== null) outcome.maxAttempts = maxRetries + 1
    const shouldRetry = retryWhen ? retryWhen(retries, error) : maxRetries === null || retries < maxRetries
    if (shouldRetry) return outcome.retry(copy, this.#delay(message, actor, error, retries))

    outcome.message = copy
    const tries = retries === 0 ? '' : ` (after ${retries} ${retries === 1 ? 'retry' : 'retries'})`
    outcome.deadLetter(`${summary(error)}${tries}`)
    this.#exhausted.add(outcome)
  }

  /** Another plugin may have decided to retry anyway. */
  beforeSettleMessage(message: Message, outcome: Outcome, broker: Broker): void {
    if (outcome.decision !== 'dead-letter' || !this.#exhausted.has(outcome)) return
    const actor = broker.actors.get(message.actorName)
    const target = effective<string | undefined>(message, actor, 'onRetryExhausted', undefined)
    const maxRetries = effective(message, actor, 'maxRetries', this.#maxRetries)
    const counts = { retries: retriesOf(message), max_retries: maxRetries }
    if (target) outcome.call(broker, target, 'onRetryExhausted', outcome.message.toWire(), counts)
  }

  #delay(message: Message, actor: AnyActor | undefined, error: Error, retries: number): number {
    if (error instanceof Retry && error.delay !== undefined) {
      try {
        return parseDuration(error.delay, 'delay')
      } catch (invalid) {
        getLogger().warn(
          { err: invalid, actorName: message.actorName },
          'A Retry with an unusable delay; the usual backoff applies',
        )
      }
    }
    const max = effective(message, actor, 'maxBackoff', this.#maxBackoff)
    return backoff(retries, {
      factor: effective(message, actor, 'minBackoff', this.#minBackoff),
      max: Math.min(max, longestBackoff),
      jitter: (actor?.options.jitter as boolean | undefined) ?? this.#jitter,
    })
  }
}

/** The number of failed attempts so far. */
function retriesOf(message: Message): number {
  return countOf(message, 'retries')
}

const causedByMessage = [ActorNotFound, NotSerializable, InvalidArguments, MigrationFailed]

/** Whether another attempt would fail in the same way, because the actor says so or because of the message itself. */
function isNotRetryable(error: Error, throws: readonly ErrorClass[] = []): boolean {
  if (causedByMessage.some((kind) => error instanceof kind)) return true
  if (throws.length === 0) return false
  const names = classNames(error)
  return throws.some((kind) => {
    if (typeof kind === 'string') return names.includes(kind)
    // Our own classes are known in every thread. A class of the user is a different one in a thread, and matched by its
    // name.
    return error instanceof kind || (markOf(kind.prototype) === undefined && names.includes(kind.name))
  })
}
