/** The faults that a test can switch on: what networks, crashes and other processes do to messages. */
import { ConnectionFailed } from '../lib/errors.js'
import type { Message } from '../lib/message.js'
import type { AnyHandle } from './matching.js'

/** Faults of the broker. Each lasts until `clear()`, unless it says otherwise. */
export interface Faults {
  /**
   * Delivers every message twice, with the same id: at-least-once delivery, at its worst. A retry counts as the same
   * message, and isn't doubled again.
   * @param actor Only the messages of this actor.
   */
  duplicate(actor?: AnyHandle): void
  /** Delivers the newest message first, whatever its priority. */
  reorder(): void
  /**
   * Loses the connection: sends, takes, settlements and every other call of the broker fail with `ConnectionFailed`. A
   * worker retries what it settles until the connection is back.
   */
  loseConnection(): void
  /** Restores the connection. */
  restoreConnection(): void
  /**
   * Loses the next acknowledgement (or dead-lettering), once: the message runs, but the broker never hears of it and
   * delivers it again, with its `deliveryCount` raised. What was sent along with it is not stored. A message whose
   * `maxRetries` allow no second delivery is dead-lettered as `worker lost`, as after a crash.
   */
  failNextAck(): void
  /** Ends all faults. */
  clear(): void
}

/** The faults, as the broker and its consumers read them. */
export class FaultSwitches implements Faults {
  reordered = false
  connectionLost = false
  #nextAckFails = false
  /** The names of actors whose messages are doubled; `true` for all. */
  #doubled: Set<string> | true = new Set()
  #doubledIds = new Set<string>()

  /** @param onLost Called when the connection is lost. */
  constructor(private readonly onLost: () => void) {}

  duplicate(actor?: AnyHandle): void {
    if (actor === undefined) this.#doubled = true
    else if (this.#doubled !== true) this.#doubled.add(actor.actorName)
  }

  reorder(): void {
    this.reordered = true
  }

  loseConnection(): void {
    this.connectionLost = true
    this.onLost()
  }

  restoreConnection(): void {
    this.connectionLost = false
  }

  failNextAck(): void {
    this.#nextAckFails = true
  }

  clear(): void {
    this.reordered = false
    this.connectionLost = false
    this.#nextAckFails = false
    this.#doubled = new Set()
  }

  /** Whether some messages are doubled. */
  get doubles(): boolean {
    return this.#doubled === true || this.#doubled.size > 0
  }

  /** Whether this message must be delivered once more; true once for each message. */
  takeDouble({ actorName, messageId }: Message): boolean {
    if (this.#doubled !== true && !this.#doubled.has(actorName)) return false
    if (this.#doubledIds.has(messageId)) return false
    this.#doubledIds.add(messageId)
    return true
  }

  /** Whether this acknowledgement is lost; true once for each `failNextAck`. */
  takeFailingAck(): boolean {
    const fails = this.#nextAckFails
    this.#nextAckFails = false
    return fails
  }
}

/** @throws {ConnectionFailed} while the connection is lost. */
export function assertConnected({ connectionLost }: FaultSwitches): void {
  if (connectionLost) throw new ConnectionFailed('The connection is lost (loseConnection).')
}
