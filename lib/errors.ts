/**
 * Every error that dramatis throws. All of them extend `DramatisError`, have fields for what went wrong besides the
 * message, and keep the original error in `cause`.
 */

import { DramatisError } from './dramatis-error.js'
import type { Duration } from './duration.js'
import { hintOfRenamed } from './function-names.js'
import { messageOf } from './thrown.js'

export * from './argument-errors.js'
export * from './broker-errors.js'
export * from './dramatis-error.js'
export * from './result-errors.js'

// — Declaring and sending ————————————————————————————————————————————————————————————————————————————————

/** An option has an unknown name or an invalid value. */
export class InvalidOption extends DramatisError {
  constructor(
    message: string,
    readonly option: string,
  ) {
    super(message)
  }
}

/** A queue or actor name that Dramatiq's wire doesn't allow. */
export class InvalidName extends DramatisError {}

/** A value passed as an argument or returned as a result can't be represented in JSON. */
export class NotSerializable extends DramatisError {
  constructor(
    message: string,
    /** The path of the value, as in code: `args[0].user.id`. */
    readonly path: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

/** An encoded message is larger than the broker's `maxMessageSize`. */
export class MessageTooLarge extends DramatisError {
  constructor(
    readonly actorName: string,
    readonly size: number,
    readonly limit: number,
  ) {
    super(
      `The message for actor "${actorName}" is ${size} bytes, over the limit of ${limit} (maxMessageSize). ` +
        'Store the data elsewhere and send its key, or raise maxMessageSize on the broker.',
    )
  }
}

/** Another actor of that name is already declared on the broker. */
export class ActorExists extends DramatisError {
  constructor(
    readonly actorName: string,
    /** Where the first and the second were declared, if known. */
    [first, second]: readonly [first?: string | undefined, second?: string | undefined] = [],
  ) {
    const at = first === undefined ? '' : ` at ${first}`
    const again = second === undefined ? '' : `, and again at ${second}`
    super(
      `An actor named "${actorName}" is already declared on this broker${at}${again}; give one of them another actorName.`,
    )
  }
}

/** Two copies of this package, of incompatible versions, were loaded in one process. */
export class IncompatibleCopies extends DramatisError {
  constructor(
    /** The copy that was loaded first. */
    readonly first: { readonly version: string; readonly path: string },
    /** The copy that was refused. */
    readonly second: { readonly version: string; readonly path: string },
  ) {
    super(
      `Two copies of dramatis in one process must be of compatible versions; got ${first.version} (${first.path}) and ` +
        `${second.version} (${second.path}). Install one version for all ("npm ls dramatis" shows who asks for which); ` +
        'if a new release was just deployed, restart the process.',
    )
  }
}

// — Running a message ————————————————————————————————————————————————————————————————————————————————————

/** The body isn't a message. It is dead-lettered with this as the reason. */
export class DecodeError extends DramatisError {}

/** A message names an actor that this worker doesn't have. */
export class ActorNotFound extends DramatisError {
  constructor(
    readonly actorName: string,
    known: Iterable<string> = [],
  ) {
    const hint = hintOfRenamed(actorName, known) ?? 'import its module before starting the worker.'
    super(`No actor named "${actorName}"; ${hint}`)
  }
}

/** The base of errors that stop a running actor; the `reason` of `current().signal`. */
export class Interrupt extends DramatisError {}

/** The actor ran longer than its `timeLimit`. */
export class TimeLimitExceeded extends Interrupt {
  constructor(readonly timeLimit?: number) {
    super(timeLimit === undefined ? '' : `The actor ran longer than its time limit of ${timeLimit} ms.`)
  }
}

/**
 * The message was cancelled. It is not retried, and its result is a failure of this type. An actor that throws it cancels
 * itself.
 */
export class CancelledError extends Interrupt {
  constructor(
    /** Why, in the words of who cancelled it. */
    readonly reason?: string,
  ) {
    super(reason === undefined ? 'The message was cancelled.' : `The message was cancelled: ${reason}`)
  }
}

/** The worker is shutting down. */
export class Shutdown extends Interrupt {
  constructor() {
    super('The worker is shutting down.')
  }
}

/** The thread that ran the message died: out of memory, an uncaught exception, `process.exit()`. */
export class WorkerThreadLost extends DramatisError {}

/** The workers that processed the message were lost more often than `maxRetries` allows. */
export class WorkerLost extends DramatisError {}

/** A module could not be loaded in a worker thread. */
export class ModuleLoadError extends DramatisError {
  constructor(
    readonly module: string,
    /** `hint` says what to do, in a sentence. */
    { hint, ...options }: ErrorOptions & { hint?: string } = {},
  ) {
    const why = `The module ${module} could not be loaded: ${messageOf(options.cause)}`
    super(hint === undefined ? why : `${why.replace(/\.?$/, '.')} ${hint}`, options)
  }
}

/** A hook of an essential plugin failed, and the operation was stopped. */
export class HookFailed extends DramatisError {
  constructor(
    /** The name of the plugin. */
    readonly plugin: string,
    /** The hook that failed. */
    readonly hook: string,
    options: { cause: unknown },
  ) {
    super(`${hook} of ${plugin} failed: ${messageOf(options.cause)}`, options)
  }
}

/**
 * Throw it in an actor to run the message again later. It is an intent and not a failure, so it is logged at info.
 *
 * @example throw new Retry({ delay: '30s', cause: error })
 */
export class Retry extends DramatisError {
  /** When to run again: milliseconds or an `ms` string. @default the usual backoff */
  readonly delay: Duration | undefined

  constructor({
    message = 'The actor asked to be retried.',
    delay,
    cause,
  }: {
    message?: string | undefined
    delay?: Duration | undefined
    cause?: unknown
  } = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.delay = delay
  }
}

/** Throw it in an actor or a plugin to skip a message: it is acknowledged or, with `fail`, dead-lettered. */
export class SkipMessage extends DramatisError {
  /** Whether the message is dead-lettered instead of acknowledged. */
  readonly fail: boolean

  constructor(message = 'The message was skipped.', { fail = false }: { fail?: boolean | undefined } = {}) {
    super(message)
    this.fail = fail
  }
}

/**
 * Throw it in a batch actor to fail single messages: those whose items it names, by their index, each with its own
 * error. The others of the batch succeed.
 *
 * @example throw new BatchError(new Map([[3, new Error('no such user')]]))
 */
export class BatchError extends DramatisError {
  /** The errors by the index of their items. */
  readonly errors: ReadonlyMap<number, unknown>
  /** What the other messages return, by the index of their items. */
  readonly results: readonly unknown[] | undefined

  /** @throws {InvalidOption} for a key that can't be an index. */
  constructor(
    errors: Iterable<readonly [index: number, error: unknown]>,
    { results }: { results?: readonly unknown[] | undefined } = {},
  ) {
    const byIndex = new Map(errors)
    const wrong = [...byIndex.keys()].find((index) => !Number.isSafeInteger(index) || index < 0)
    if (wrong !== undefined)
      throw new InvalidOption(`Expected the keys of "errors" to be indices of items, from 0; got ${wrong}.`, 'errors')
    const [first] = byIndex.values()
    super(`Messages of the batch failed, ${byIndex.size} in all: ${byIndex.size > 0 ? messageOf(first) : 'none'}`)
    this.errors = byIndex
    this.results = results
  }
}

/**
 * A rate limiter has no free slot. Thrown by an actor, or by a plugin before it, it postpones the message until there
 * may be a slot, with no attempt counted.
 *
 * @example throw new RateLimitExceeded('api', { retryAfter: 30_000 }) // a service returned Retry-After
 */
export class RateLimitExceeded extends DramatisError {
  /** In how many milliseconds there may be a slot, if known. */
  readonly retryAfter: number | undefined

  constructor(
    /** The key of the limit. */
    readonly key: string,
    { retryAfter }: { retryAfter?: number | undefined } = {},
  ) {
    super(`The rate limit "${key}" is exceeded.`)
    this.retryAfter = retryAfter
  }
}
