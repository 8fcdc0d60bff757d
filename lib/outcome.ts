/**
 * What became of a message, and what shall become of it: given to `afterProcessMessage`, read and decided there,
 * carried out by the executor in one step once every hook is through.
 */
import type { Broker } from './broker.js'
import { DramatisError } from './errors.js'
import { getLogger } from './logger.js'
import type { Message } from './message.js'
import { type Duration, parseDuration } from './time.js'

/** A message on its way to a broker. */
export interface Entry {
  readonly message: Message
  /** Milliseconds from now until it may run; at once when absent. */
  readonly delay?: number | undefined
  /**
   * Whether it is a message that was stored before, with at most a few kilobytes of our own added: such a one isn't held to
   * `maxMessageSize`, which is for those who send.
   */
  readonly stored?: boolean | undefined
}

/** The three ends a delivery can come to. */
export type Decision = 'ack' | 'retry' | 'dead-letter'

/** Most messages send nothing on, and need no list for it. */
const none: readonly Entry[] = []

/**
 * Plugins decide one after the other, and each may overrule those before it: the last decision is carried out. What is
 * sent besides is sent whatever the decision.
 */
export class Outcome {
  /**
   * The message as it stands now: `Retries` counts a failed attempt up in its options, for those that come after it
   * to see. What is dead-lettered is the body as it was stored, untouched.
   */
  message: Message
  /** Why it was dead-lettered, when it was. */
  reason: string | undefined
  /** How many attempts there may be, for the log: set by whoever counts them, where a number is given. */
  declare maxAttempts?: number | undefined
  #decision: Decision | 'postpone'
  #decided = false
  /** What is sent in place of the message, while it is to be retried. */
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
    this.#decision = error === undefined ? 'ack' : 'dead-letter'
  }

  /** What will happen to the message. A success is acknowledged and a failure dead-lettered, unless a plugin decides otherwise. */
  get decision(): Decision {
    return this.#decision === 'postpone' ? 'retry' : this.#decision
  }

  /** Whether a plugin decided, so that it isn't merely what comes of a success or a failure. */
  get decided(): boolean {
    return this.#decided
  }

  /**
   * The copy that is sent in place of the message, when it is to be retried.
   * @internal
   */
  get copy(): Entry | undefined {
    return this.#copy
  }

  /** After how many milliseconds it runs again, when it is to be retried. */
  get delay(): number | undefined {
    return this.#copy?.delay
  }

  /** What is sent in the same step that settles the message: the copy that is retried, the next step of a pipeline, callbacks. */
  get sends(): readonly Entry[] {
    return this.#copy ? [this.#copy, ...this.#sends] : this.#sends
  }

  /**
   * Sends `copy` after a delay in place of this message. Overrules what was decided before: a copy that another plugin
   * wanted to retry isn't sent.
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

  /** Whether the message goes back to wait, and no attempt is counted: nobody need be told that one failed. */
  get postponed(): boolean {
    return this.#decision === 'postpone'
  }

  /**
   * The same as `retry`, of a message whose attempt doesn't count: what it needs isn't there yet.
   * @throws {DramatisError} once the decision is final.
   */
  postpone(copy: Message, delay: Duration): void {
    this.retry(copy, delay)
    this.#decision = 'postpone'
  }

  /**
   * Gives the message up, for this reason. Overrules what was decided before: it isn't retried.
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
   * Sends another message in the same step in which this one is settled, whatever becomes of this one.
   * @throws {DramatisError} once that step has begun.
   */
  send(message: Message, delay?: Duration): void {
    this.#add({ message, delay: delay === undefined ? undefined : parseDuration(delay, 'delay') })
  }

  /**
   * Sends a message to an actor of this process in the same step. One that isn't declared here can't be called back:
   * that is logged, and the message itself not harmed.
   */
  call(broker: Broker, actorName: string, option: string, ...args: unknown[]): void {
    const actor = broker.actors.get(actorName)
    // What is told of a failure was stored before or is cut; a result may be of any size.
    if (actor) return this.#add({ message: actor.message(...args), stored: this.error !== undefined })
    getLogger().error(
      { actorName, messageId: this.message.messageId },
      `No actor named "${actorName}" to call, as ${option} of "${this.message.actorName}" says; import its module in the worker.`,
    )
  }

  /**
   * From now on the decision stands.
   * @internal
   */
  conclude(): void {
    this.#final = true
  }

  /**
   * From now on it is carried out.
   * @internal
   */
  close(): void {
    this.#settling = true
  }

  #add(entry: Entry): void {
    if (this.#settling) {
      throw new DramatisError(
        `The message is being settled, and nothing more can be sent with it: send in afterProcessMessage or beforeSettleMessage, and wait there for what you need.`,
      )
    }
    this.#sends = [...this.#sends, entry]
  }

  #assertOpen(): void {
    if (!this.#final) return
    throw new DramatisError(
      'What becomes of the message is final: decide it in afterProcessMessage, and wait there for what you need to decide it.',
    )
  }
}
