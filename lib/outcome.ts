/**
 * The outcome of a message, and the decision about it. It is passed to `afterProcessMessage`, where plugins read it and
 * decide; the executor carries the decision out in one step after all hooks.
 */
import { createAfter, inheritContext } from './context-values.js'
import type { Duration } from './duration.js'
import { CancelledError, DramatisError } from './errors.js'
import { getLogger } from './logger.js'
import type { Message } from './message.js'
import { parseDuration } from './time.js'

/** A message on its way to a broker. */
export interface Entry {
  readonly message: Message
  /** Milliseconds until it may run. @default immediately */
  readonly delay?: number | undefined
  /**
   * Whether it is a message that was stored before, with at most a few kilobytes added by us. Such a message isn't
   * subject to `maxMessageSize`, which is for senders.
   */
  readonly stored?: boolean | undefined
  /** A UUID by which the message is found while it waits, for those that may be replaced. @default none */
  readonly handle?: string | undefined
}

/** A broker, as far as callbacks need it: its actors create their messages. */
export interface ActorSource {
  readonly actors: ReadonlyMap<string, { message(...args: unknown[]): Message }>
}

/** The four ends of a delivery. */
export type Decision = 'ack' | 'retry' | 'dead-letter' | 'cancel'

/** Shared: most messages send nothing. */
const none: readonly Entry[] = []

/**
 * Plugins decide one after the other, and each may overrule the ones before it: the last decision counts. Messages sent
 * with `send` are sent whatever the decision is.
 */
export class Outcome {
  /**
   * The current state of the message: `Retries` increments the failed attempts in its options, and later plugins see
   * that. A dead letter keeps the body as it was stored.
   */
  message: Message
  /** Why it was dead-lettered or cancelled, if it was. */
  reason: string | undefined
  /** The maximum number of attempts, for the log; set by the plugin that counts them, if there is a maximum. */
  declare maxAttempts?: number | undefined
  #decision: Decision | 'postpone' = 'ack'
  #decided = false
  /** The message that replaces this one if it is retried. */
  #copy: Entry | undefined
  #sends: readonly Entry[] = none
  #final = false
  #settling = false

  constructor(
    message: Message,
    /** What the actor returned. */
    readonly result: unknown,
    /** What it threw; `undefined` after a success. */
    readonly error: Error | undefined,
  ) {
    this.message = message
    if (error === undefined) return
    if (error instanceof CancelledError) this.cancel(error.reason)
    else this.#decision = 'dead-letter'
  }

  /**
   * The decision. By default a success is acknowledged, a message that ended with a `CancelledError` is cancelled, and any
   * other failure is dead-lettered.
   */
  get decision(): Decision {
    return this.#decision === 'postpone' ? 'retry' : this.#decision
  }

  /** Whether a plugin made the decision, so that it isn't the default; a `CancelledError` counts as one. */
  get decided(): boolean {
    return this.#decided
  }

  /**
   * The message that replaces this one if it is retried.
   * @internal
   */
  get copy(): Entry | undefined {
    return this.#copy
  }

  /** In how many milliseconds it runs again, if it is retried. */
  get delay(): number | undefined {
    return this.#copy?.delay
  }

  /** Messages sent in the same step as the settlement: the retried copy, the next step of a pipeline, callbacks. */
  get sends(): readonly Entry[] {
    return this.#copy ? [this.#copy, ...this.#sends] : this.#sends
  }

  /**
   * Sends `copy` with a delay instead of this message. Overrules earlier decisions: a copy that another plugin wanted
   * to retry isn't sent.
   * @throws {DramatisError} once the decision is final.
   */
  retry(copy: Message, delay: Duration): void {
    this.#assertOpen()
    this.#copy = { message: copy, delay: parseDuration(delay, 'delay'), stored: true }
    this.message = copy
    this.reason = undefined
    this.#decision = 'retry'
    this.#decided = true
  }

  /** Whether the message is retried without counting an attempt, so that there is no failure to report. */
  get postponed(): boolean {
    return this.#decision === 'postpone'
  }

  /**
   * The same as `retry`, for a message whose attempt doesn't count, because something it needs isn't available yet.
   * @throws {DramatisError} once the decision is final.
   */
  postpone(copy: Message, delay: Duration): void {
    this.retry(copy, delay)
    this.#decision = 'postpone'
  }

  /**
   * Dead-letters the message with this reason. Overrules earlier decisions: it isn't retried.
   * @throws {DramatisError} once the decision is final.
   */
  deadLetter(reason: string): void {
    this.#assertOpen()
    this.#copy = undefined
    this.reason = reason
    this.#decision = 'dead-letter'
    this.#decided = true
  }

  /**
   * Cancels the message: it is acknowledged, and its result is a failure of type `CancelledError`. Overrules earlier
   * decisions: it isn't retried.
   * @param reason Why, in words.
   * @throws {DramatisError} once the decision is final.
   */
  cancel(reason?: string): void {
    this.#assertOpen()
    this.#copy = undefined
    this.reason = reason
    this.#decision = 'cancel'
    this.#decided = true
  }

  /** What a cancelled message ends with, whatever its actor threw or returned. */
  get cancellation(): CancelledError | undefined {
    if (this.#decision !== 'cancel') return undefined
    return this.error instanceof CancelledError ? this.error : new CancelledError(this.reason)
  }

  /**
   * Sends another message in the same step as the settlement, whatever the decision is. A message without context values
   * gets those of the settled one.
   * @throws {DramatisError} once the settlement has begun.
   */
  send(message: Message, delay?: Duration): void {
    const milliseconds = delay === undefined ? undefined : parseDuration(delay, 'delay')
    this.#add({ message: inheritContext(message, this.message), delay: milliseconds })
  }

  /**
   * Sends a message to an actor of this process in the same step. If the actor isn't declared here, that is logged, and
   * the message itself is not affected.
   */
  call(broker: ActorSource, actorName: string, option: string, ...args: unknown[]): void {
    const actor = broker.actors.get(actorName)
    // The description of a failure was stored before, or is cut. A result may have any size.
    if (actor) {
      const message = createAfter(this.message, () => actor.message(...args))
      return this.#add({ message, stored: this.error !== undefined })
    }
    getLogger().error(
      { actorName, messageId: this.message.messageId },
      `No actor named "${actorName}", which is the ${option} of "${this.message.actorName}"; import its module in the worker.`,
    )
  }

  /**
   * Makes the decision final.
   * @internal
   */
  conclude(): void {
    this.#final = true
  }

  /**
   * Begins the settlement: nothing can be sent with it any more.
   * @internal
   */
  close(): void {
    this.#settling = true
  }

  #add(entry: Entry): void {
    if (this.#settling) {
      throw new DramatisError(
        `The message is being settled, and nothing more can be sent with it: send in afterProcessMessage or beforeSettleMessage, and await there what you need.`,
      )
    }
    this.#sends = [...this.#sends, entry]
  }

  #assertOpen(): void {
    if (!this.#final) return
    throw new DramatisError(
      'The decision about the message is final: decide in afterProcessMessage, and await there what you need.',
    )
  }
}
