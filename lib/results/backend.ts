/**
 * Where results are kept: the contract, and what is the same whatever keeps them (the names, the values, the waiting).
 */

import { createHash } from 'node:crypto'
import { checkSerializable } from '../encoder.js'
import { ConnectionFailed, ResultError, ResultFailure, ResultMissing, ResultTimeout } from '../errors.js'
import type { Message } from '../message.js'
import { checkSettings, expected, refuseUnknown } from '../options.js'
import { canonicalQueueName } from '../queue-names.js'
import { markInstances } from '../registry.js'
import { type Duration, parseDuration, show } from '../time.js'

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
  namespace?: string | undefined
}

export abstract class ResultBackend {
  readonly namespace: string

  constructor(options: ResultBackendOptions = {}) {
    checkSettings(options, 'a results backend')
    const { namespace = 'dramatiq-results' } = options
    if (typeof namespace !== 'string' || namespace === '') {
      throw expected("a text that isn't empty", namespace, 'namespace')
    }
    this.namespace = namespace
  }

  /** Keeps a result for `ttl` milliseconds. A second one replaces the first, traceback and all. */
  protected abstract put(key: string, stored: StoredResult, ttl: number): Promise<void>

  /**
   * The result at once, or `undefined`.
   * @param timeout How long the answer may take, in milliseconds, where it has to come from elsewhere. @default no longer than needed
   */
  protected abstract peek(key: string, timeout?: number): Promise<StoredResult | undefined>

  /**
   * The result as soon as it is there, or `undefined` after `timeout` milliseconds (always more than 0).
   * @throws {ConnectionFailed} when that can't be told at the end.
   */
  protected abstract wait(key: string, timeout: number): Promise<StoredResult | undefined>

  /** Deletes a result, if it is there. A backend that can't leaves it until its time is over. */
  protected async remove(_key: string): Promise<void> {}

  /**
   * Looks whether the store can be used, for `Broker.check`.
   * @param _timeout How long it may take, in milliseconds.
   * @throws {BrokerUnusable} when no waiting will mend what is wrong; another {BrokerError} when it may.
   */
  async check(_timeout: number): Promise<void> {}

  /**
   * Frees what the backend holds.
   * @param _timeout How long that may take, in milliseconds; as long as it needs where nobody says.
   */
  async close(_timeout?: number): Promise<void> {}

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
   * Deletes what is kept of a message: it gets another chance, and whoever asks shall wait for that.
   */
  async forget(message: Message): Promise<void> {
    await this.remove(this.keyOf(message))
  }

  /**
   * Waits for a result, also while the backend is away.
   *
   * @param options.timeout How long; 0 asks once. @default '10s'
   * @throws {ResultMissing} when asked once and there is none, {ResultTimeout} when none came in time (its `cause` says so
   * when the backend was away), {ResultFailure} when the actor failed for good, {ConnectionFailed} when asked once and the
   * backend is away.
   */
  async get(message: Message, options: { timeout?: Duration | undefined } = {}): Promise<unknown> {
    refuseUnknown(options, ['timeout'], 'get()')
    const { timeout = 10_000 } = options
    const patience = parseDuration(timeout, 'timeout')
    const key = this.keyOf(message)
    const which = `${message.actorName} (message ${message.messageId})`
    const stored = patience > 0 ? await this.#await(key, patience, which) : await this.peek(key)
    if (stored) return decodeResult(stored.value, stored.traceback)
    if (patience > 0) throw new ResultTimeout(`No result of ${which} within ${patience} ms.`)
    throw new ResultMissing(`There is no result of ${which}.`)
  }

  async #await(key: string, timeout: number, which: string): Promise<StoredResult | undefined> {
    const startedAt = performance.now()
    let away: unknown
    try {
      const stored = await this.peek(key, timeout)
      if (stored) return stored
    } catch (error) {
      if (!(error instanceof ConnectionFailed)) throw error
      away = error
    }
    const left = timeout - Math.floor(performance.now() - startedAt)
    try {
      if (left > 0) return await this.wait(key, left)
    } catch (error) {
      if (!(error instanceof ConnectionFailed)) throw error
      away = error
    }
    if (!(away instanceof ConnectionFailed)) return undefined
    throw new ResultTimeout(`No result of ${which} within ${timeout} ms. ${away.message}`, { cause: away })
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
  const result = parse(value) as { __t?: unknown; exn?: { type: string; msg: string } } | null
  if (typeof result === 'object' && result?.__t === failureMark && result.exn) {
    throw new ResultFailure(result.exn.type, result.exn.msg, traceback)
  }
  return result
}

/** JSON, and the numbers that Python writes into it though JSON has none such: `NaN`, `Infinity`, `-Infinity`. */
function parse(value: string): unknown {
  try {
    return JSON.parse(value)
  } catch {
    // Told below, if it is no use.
  }
  let mark = 'NaN'
  while (value.includes(`"${mark}"`)) mark += 'N'
  const tokens = /"(?:[^"\\]|\\.)*"|-?Infinity|NaN/g
  const json = value.replace(tokens, (token) => {
    if (token === 'NaN') return `"${mark}"`
    return token.startsWith('"') ? token : token.replace('Infinity', '1e999')
  })
  try {
    return JSON.parse(json, (_, inner) => (inner === mark ? Number.NaN : inner))
  } catch (cause) {
    throw new ResultError(`Expected the stored result to be JSON; got ${show(value)}.`, { cause })
  }
}

markInstances(ResultBackend, 'results')
