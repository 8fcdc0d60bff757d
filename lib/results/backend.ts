/**
 * Where results are kept: the contract, and what is the same whatever keeps them (the names, the values, the waiting).
 */
import { createHash } from 'node:crypto'
import { checkSerializable } from '../encoder.js'
import { ResultFailure, ResultMissing, ResultTimeout } from '../errors.js'
import type { Message } from '../message.js'
import { expected } from '../options.js'
import { canonicalQueueName } from '../queue-names.js'
import { type Duration, parseDuration } from '../time.js'

/** How a failure is told: the class name of the error, its message and its stack. */
export interface StoredFailure {
  readonly type: string
  readonly message: string
  readonly traceback?: string | undefined
}

/** What a backend keeps of a result. */
export interface StoredResult {
  /** Dramatiq's JSON, as `encodeSuccess` or `encodeFailure` made it. */
  readonly value: string
  /** The stack of a failure; Dramatiq's JSON has no place for it. */
  readonly traceback?: string | undefined
}

/** Settings that every results backend takes. */
export interface ResultBackendOptions {
  /**
   * What the keys begin with; as Dramatiq's.
   * @default 'dramatiq-results'
   */
  namespace?: string
}

export abstract class ResultBackend {
  readonly namespace: string

  constructor({ namespace = 'dramatiq-results' }: ResultBackendOptions = {}) {
    if (typeof namespace !== 'string' || namespace === '') {
      throw expected("a text that isn't empty", namespace, 'namespace')
    }
    this.namespace = namespace
  }

  /** Keeps a result for `ttl` milliseconds. A second one replaces the first, traceback and all. */
  protected abstract put(key: string, stored: StoredResult, ttl: number): Promise<void>

  /** The result at once, or `undefined`. */
  protected abstract peek(key: string): Promise<StoredResult | undefined>

  /** The result as soon as it is there, or `undefined` after `timeout` milliseconds (always more than 0). */
  protected abstract wait(key: string, timeout: number): Promise<StoredResult | undefined>

  /** Frees what the backend holds. */
  async close(): Promise<void> {}

  /**
   * Keeps what an actor returned.
   * @throws {NotSerializable}
   */
  async storeResult(message: Message, result: unknown, ttl: number): Promise<void> {
    await this.put(this.keyOf(message), { value: encodeSuccess(result) }, ttl)
  }

  /** Keeps what an actor failed with, once it failed for good. */
  async storeFailure(message: Message, failure: StoredFailure, ttl: number): Promise<void> {
    const { traceback } = failure
    await this.put(this.keyOf(message), { value: encodeFailure(failure), traceback }, ttl)
  }

  /**
   * Waits for a result.
   *
   * @param options.timeout How long; 0 asks once. @default '10s'
   * @throws {ResultMissing} when asked once and there is none, {ResultTimeout} when none came in time,
   * {ResultFailure} when the actor failed for good.
   */
  async get(message: Message, { timeout = 10_000 }: { timeout?: Duration } = {}): Promise<unknown> {
    const patience = parseDuration(timeout, 'timeout')
    const key = this.keyOf(message)
    const stored = (await this.peek(key)) ?? (patience > 0 ? await this.wait(key, patience) : undefined)
    if (stored) return decodeResult(stored.value, stored.traceback)
    const which = `${message.actorName} (message ${message.messageId})`
    if (patience > 0) throw new ResultTimeout(`No result of ${which} within ${patience} ms.`)
    throw new ResultMissing(`There is no result of ${which}.`)
  }

  /** The key of a message's result: Dramatiq's, `md5(<namespace>:<queue>:<actor>:<message id>)` in hex. */
  keyOf(message: Message): string {
    const { actorName, messageId } = message
    const name = `${this.namespace}:${canonicalQueueName(message.queueName)}:${actorName}:${messageId}`
    return createHash('md5').update(name).digest('hex')
  }
}

/** What marks a stored failure; a success is stored as the bare value. */
const failureMark = 'dramatiq.results.Result'

/** A result as it is stored: bare JSON; `undefined` as `null`. */
export function encodeSuccess(result: unknown): string {
  if (result === undefined) return 'null'
  checkSerializable(result, 'result')
  return JSON.stringify(result)
}

/** A failure as it is stored. */
export function encodeFailure({ type, message }: StoredFailure): string {
  return JSON.stringify({ __t: failureMark, exn: { type, msg: message } })
}

/** Whether a stored value can be a failure; to be sure, decode it. */
export function maybeFailure(value: string): boolean {
  return value.includes(failureMark)
}

/**
 * The value that was stored.
 * @throws {ResultFailure} when it is a failure.
 */
export function decodeResult(value: string, traceback?: string): unknown {
  const result = JSON.parse(value) as { __t?: unknown; exn?: { type: string; msg: string } } | null
  if (typeof result === 'object' && result?.__t === failureMark && result.exn) {
    throw new ResultFailure(result.exn.type, result.exn.msg, traceback)
  }
  return result
}
