/**
 * Sends messages: those of one turn of the event loop in one call, many in one call of their own, and messages on
 * conditions.
 */
import { ConnectionFailed, EnqueueTimeout } from '../../../lib/errors.js'
import type { Entry } from '../../../lib/outcome.js'
import type { Refusal } from '../../../lib/state/changes.js'
import type { ConditionalEntry } from '../../../lib/state/steps.js'
import { TurnBatch } from '../../../lib/turn-batch.js'
import { uuid } from '../../../lib/uuid.js'
import type { CommandConnection } from '../connection/command-connection.js'
import { NoReply } from '../connection/failures.js'
import { retryIdempotent } from '../connection/retry.js'
import type { Destination } from '../keys.js'
import type { Argument } from '../scripts.js'
import { script } from '../scripts.js'
import { type ConditionalSend, packConditional } from './conditional-sends.js'
import { type EnqueueContext, type EnqueueRecord, enqueueRecord, packRecords } from './enqueue-records.js'
import { readRefusals } from './state-changes.js'

/** The maximum number of sends of one turn of the event loop that go out in one call. */
const maxBatch = 250

/**
 * How long the mark of a retried call is kept, in milliseconds. The bytes of an earlier attempt may arrive as late as
 * TCP tries to deliver them, which is 15 minutes on Linux. All other marks are kept for a few seconds.
 */
const retriedMarkTtl = 900_000

/** A mark with a longer time to live than this is removed once its call has a reply, in milliseconds. */
const maxMarkTtl = 60_000

export class Sender {
  readonly #connection: CommandConnection
  readonly #context: EnqueueContext
  readonly #enqueueTimeout: number
  readonly #sends: TurnBatch<EnqueueRecord | readonly EnqueueRecord[]>
  readonly #conditionalSends: TurnBatch<readonly ConditionalSend[]>
  /** Sends that are too large to share a call. */
  readonly #ownCalls = new Set<Promise<unknown>>()
  /** Marks that are being removed. */
  readonly #removals = new Set<Promise<unknown>>()

  /** @param enqueueTimeout How long a send may take, in milliseconds. */
  constructor(connection: CommandConnection, context: EnqueueContext, enqueueTimeout: number) {
    this.#connection = connection
    this.#context = context
    this.#enqueueTimeout = enqueueTimeout
    this.#sends = new TurnBatch((batch) => this.#send(batch.flat() as EnqueueRecord[]), {
      most: maxBatch,
      eager: true,
      weigh: (item) => (Array.isArray(item) ? item.length : 1),
    })
    this.#conditionalSends = new TurnBatch((batch) => this.#sendIf(batch.flat()), {
      most: maxBatch,
      eager: true,
      weigh: (sends) => sends.length,
    })
  }

  store(entries: readonly Entry[]): Promise<void> {
    const [only] = entries
    if (only && entries.length === 1) return this.#sends.add(enqueueRecord(only, this.#context))
    const records = this.records(entries)
    return records.length > maxBatch ? this.#track(this.#send(records)) : this.#sends.add(records)
  }

  /** Stores each message if its conditions hold. Returns why not. */
  async storeIf(entries: readonly ConditionalEntry[]): Promise<readonly (Refusal | undefined)[]> {
    const sends = entries.map(({ entry, others = [], changes, replaces }): ConditionalSend => {
      const queue = this.#context.keys.queue(entry.message.queueName)
      return { records: this.records([entry, ...others]), changes, replaces, queue, refusal: undefined }
    })
    await this.#conditionalSends.add(sends)
    return sends.map(({ refusal }) => refusal)
  }

  records(entries: readonly Entry[]): EnqueueRecord[] {
    return entries.map((entry) => enqueueRecord(entry, this.#context))
  }

  /** Resolves when every send that was begun has ended. */
  async idle(): Promise<void> {
    await Promise.allSettled([this.#sends.idle(), this.#conditionalSends.idle(), ...this.#ownCalls])
    await Promise.all(this.#removals)
  }

  #track<T>(sending: Promise<T>): Promise<T> {
    const tracked = sending.finally(() => this.#ownCalls.delete(tracked))
    this.#ownCalls.add(tracked)
    return tracked
  }

  async #send(records: readonly EnqueueRecord[]): Promise<void> {
    await this.#callOnce('enqueue', (keys, args) => {
      const at = args.push(0) - 1
      args[at] = packRecords(records, new Map<Destination, number>(), keys, args)
    })
  }

  async #sendIf(sends: readonly ConditionalSend[]): Promise<void> {
    for (let from = 0; from < sends.length; from += maxBatch) {
      const batch = sends.slice(from, from + maxBatch)
      const reply = await this.#callOnce('enqueue-if', (keys, args) =>
        packConditional(batch, this.#context.keys, keys, args),
      )
      for (const [index, refusal] of readRefusals(reply).entries()) (batch[index] as ConditionalSend).refusal = refusal
    }
  }

  /**
   * Runs a script that stores messages. A call whose reply was lost is retried in a way that stores nothing twice: the
   * attempt that is executed first leaves a mark that the others find. All attempts end at `enqueueTimeout`.
   */
  async #callOnce(name: string, pack: (keys: string[], args: Argument[]) => void): Promise<unknown> {
    const sent = this.#context.keys.sent(uuid())
    const keys: string[] = [sent]
    const mark = 2 * Math.max(1, this.#enqueueTimeout)
    const args: Argument[] = [mark]
    pack(keys, args)
    let mayBeStored = false
    let reply: unknown
    try {
      reply = await retryIdempotent(this.#enqueueTimeout, (attempt) => {
        mayBeStored = attempt.mayHaveRun
        if (mayBeStored) args[0] = Math.max(mark, retriedMarkTtl)
        return this.#connection.run(script(name), keys, args, attempt)
      })
    } catch (error) {
      if (!(error instanceof ConnectionFailed)) throw error
      throw this.#sendError(error, mayBeStored || error instanceof NoReply)
    }
    if (mark > maxMarkTtl) this.#expireMark(sent, mayBeStored)
    return reply
  }

  /** With an `enqueueTimeout` of days, Redis would fill up with marks of calls that ended long ago. */
  #expireMark(sent: string, again: boolean): void {
    const removal = this.#connection
      .call((client) => (again ? client.pexpire(sent, retriedMarkTtl) : client.unlink(sent)))
      .catch(() => {})
      .finally(() => this.#removals.delete(removal))
    this.#removals.add(removal)
  }

  #sendError(cause: ConnectionFailed, mayBeStored: boolean): ConnectionFailed | EnqueueTimeout {
    // The text of the error only says how long connecting was tried; the reason is in its cause.
    const reason = cause.cause instanceof Error ? cause.cause.message : cause.message
    if (!mayBeStored) return new EnqueueTimeout(this.#enqueueTimeout, { cause, reason })
    const text = `Redis did not reply within ${this.#enqueueTimeout} ms (enqueueTimeout); the message may have been stored.`
    return new ConnectionFailed(text, { cause })
  }
}
