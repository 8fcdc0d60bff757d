/**
 * What became of a message, and what shall become of it: given to `afterProcessMessage`, read and decided there,
 * carried out by the executor in one step once every hook is through.
 */
import type { Broker } from './broker.js'
import { getLogger } from './logger.js'
import type { Message } from './message.js'
import { type Duration, parseDuration } from './time.js'

/** A message on its way to a broker. */
export interface Entry {
  readonly message: Message
  /** Milliseconds from now until it may run; at once when absent. */
  readonly delay?: number | undefined
}

/** The three ends a delivery can come to. */
export type Decision = 'ack' | 'retry' | 'dead-letter'

/** Most messages send nothing on, and need no list for it. */
const none: readonly Entry[] = []

export class Outcome {
  /**
   * The message as it stands now: `Retries` counts a failed attempt up in its options, for those that come after it
   * to see. What is dead-lettered is the body as it was stored, untouched.
   */
  message: Message
  /** What is sent in the same step that acknowledges the message: a retry, the next step of a pipeline, callbacks. */
  get sends(): readonly Entry[] {
    return this.#sends
  }

  /** Why it was dead-lettered, when it was. */
  reason: string | undefined
  /** How many attempts there may be, for the log: set by whoever counts them, where a number is given. */
  maxAttempts: number | undefined
  #decision: Decision
  #postponed = false
  #sends: readonly Entry[] = none

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
    return this.#decision
  }

  /** Whether the message goes back to wait, and no attempt is counted: nobody need be told that one failed. */
  get postponed(): boolean {
    return this.#postponed
  }

  /** Sends `copy` after a delay in place of this message, whose attempt doesn't count: what it needs isn't there yet. */
  postpone(copy: Message, delay: Duration): void {
    this.retry(copy, delay)
    this.#postponed = true
  }

  /** Sends `copy` after a delay in place of this message. */
  retry(copy: Message, delay: Duration): void {
    this.#postponed = false
    this.message = copy
    this.#sends = [...this.#sends, { message: copy, delay: parseDuration(delay, 'delay') }]
    this.#decision = 'retry'
  }

  /** Gives the message up, for this reason. */
  deadLetter(reason: string): void {
    this.#postponed = false
    this.reason = reason
    this.#decision = 'dead-letter'
  }

  /** Sends another message in the same step in which this one is settled. */
  send(message: Message, delay?: Duration): void {
    this.#sends = [...this.#sends, { message, delay: delay === undefined ? undefined : parseDuration(delay, 'delay') }]
  }

  /**
   * Sends a message to an actor of this process in the same step. One that isn't declared here can't be called back:
   * that is logged, and the message itself not harmed.
   */
  call(broker: Broker, actorName: string, option: string, ...args: unknown[]): void {
    const actor = broker.actors.get(actorName)
    if (actor) return this.send(actor.message(...args))
    getLogger().error(
      { actorName, messageId: this.message.messageId },
      `No actor named "${actorName}" to call, as ${option} of "${this.message.actorName}" says; import its module in the worker.`,
    )
  }
}
