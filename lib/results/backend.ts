/**
 * The base class of results backends. It implements what all have in common: keys, values, waiting.
 */

import { createHash } from 'node:crypto'
import { checkSettings, expected, refuseUnknown, show } from '../checks.js'
import type { Duration } from '../duration.js'
import { checkSerializable } from '../encoder.js'
import { ConnectionFailed, ResultError, ResultFailure, ResultMissing, ResultTimeout } from '../errors.js'
import type { Message } from '../message.js'
import { canonicalQueueName } from '../queue-names.js'
import { markInstances } from '../registry.js'
import { parseDuration } from '../time.js'

/** The description of a failure: the class name of the error, its message and its stack. */
export interface StoredFailure {
  readonly type: string
  readonly message: string
  readonly traceback?: string | undefined
}

/** A stored result. */
export interface StoredResult {
  /** Dramatiq's JSON, created by `encodeSuccess` or `encodeFailure`. */
  readonly value: string
  /** The stack of a failure, which Dramatiq's JSON can't contain. */
  readonly traceback?: string | undefined
}

/** Options that every results backend has. */
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
      throw expected('a non-empty string', namespace, 'namespace')
    }
    this.namespace = namespace
  }

  /** Stores a result for `ttl` milliseconds. Replaces an existing one with its traceback. */
  protected abstract put(key: string, stored: StoredResult, ttl: number): Promise<void>

  /**
   * The stored result, or `undefined`.
   * @param timeout How long a remote store may take to reply, in milliseconds. @default as long as it needs
   */
  protected abstract peek(key: string, timeout?: number): Promise<StoredResult | undefined>

  /**
   * The result as soon as it is stored, or `undefined` after `timeout` milliseconds (always more than 0).
   * @throws {ConnectionFailed} if the store can't be reached at the end.
   */
  protected abstract wait(key: string, timeout: number): Promise<StoredResult | undefined>

  /** Deletes a result, if there is one. A backend that can't leaves it until it expires. */
  protected async remove(_key: string): Promise<void> {}

  /**
   * Checks whether the store can be used, for `Broker.check`.
   * @param _timeout How long it may take, in milliseconds.
   * @throws {BrokerUnusable} for a permanent problem; another {BrokerError} for one that may be temporary.
   */
  async check(_timeout: number): Promise<void> {}

  /**
   * Closes connections and files.
   * @param _timeout How long that may take, in milliseconds. @default as long as it needs
   */
  async close(_timeout?: number): Promise<void> {}

  /**
   * Stores the result of an actor.
   * @throws {NotSerializable}
   */
  async storeResult(message: Message, result: unknown, ttl: number): Promise<void> {
    await this.put(this.keyOf(message), { value: encodeSuccess(result) }, ttl)
  }

  /** Stores the error of an actor that failed permanently. */
  async storeFailure(message: Message, failure: StoredFailure, ttl: number): Promise<void> {
    const { traceback } = failure
    await this.put(this.keyOf(message), { value: encodeFailure(failure), traceback }, ttl)
  }

  /** Deletes the result of a message that is requeued, so that `result()` waits for the new one. */
  async forget(message: Message): Promise<void> {
    await this.remove(this.keyOf(message))
  }

  /** Whether there is a result. */
  async has(message: Message): Promise<boolean> {
    return (await this.peek(this.keyOf(message))) !== undefined
  }

  /**
   * Waits for a result, also while the store can't be reached.
   *
   * @param options.timeout How long; 0 reads once. @default '10s'
   * @throws {ResultMissing} if there is none with a timeout of 0, {ResultTimeout} if there is none in time (its `cause`
   * says if the store couldn't be reached), {ResultFailure} if the actor failed permanently, {ConnectionFailed} if the
   * store can't be reached with a timeout of 0.
   */
  async get(message: Message, options: { timeout?: Duration | undefined } = {}): Promise<unknown> {
    refuseUnknown(options, ['timeout'], 'get()')
    const { timeout = 10_000 } = options
    const timeoutMs = parseDuration(timeout, 'timeout')
    const key = this.keyOf(message)
    const description = `${message.actorName} (message ${message.messageId})`
    const stored = timeoutMs > 0 ? await this.#await(key, timeoutMs, description) : await this.peek(key)
    if (stored) return decodeResult(stored.value, stored.traceback)
    if (timeoutMs > 0) throw new ResultTimeout(`No result of ${description} within ${timeoutMs} ms.`)
    throw new ResultMissing(`There is no result of ${description}.`)
  }

  async #await(key: string, timeout: number, description: string): Promise<StoredResult | undefined> {
    const startedAt = performance.now()
    let connectionError: unknown
    try {
      const stored = await this.peek(key, timeout)
      if (stored) return stored
    } catch (error) {
      if (!(error instanceof ConnectionFailed)) throw error
      connectionError = error
    }
    const left = timeout - Math.floor(performance.now() - startedAt)
    try {
      if (left > 0) return await this.wait(key, left)
    } catch (error) {
      if (!(error instanceof ConnectionFailed)) throw error
      connectionError = error
    }
    if (!(connectionError instanceof ConnectionFailed)) return undefined
    throw new ResultTimeout(`No result of ${description} within ${timeout} ms. ${connectionError.message}`, {
      cause: connectionError,
    })
  }

  /** The key of a message's result: Dramatiq's, `md5(<namespace>:<queue>:<actor>:<message id>)` in hex. */
  keyOf(message: Message): string {
    const { actorName, messageId } = message
    const name = `${this.namespace}:${canonicalQueueName(message.queueName)}:${actorName}:${messageId}`
    return createHash('md5').update(name).digest('hex')
  }
}

/** Marks a stored failure. A success is stored as the bare value. */
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

/** Whether a stored value may be a failure; decode it to be sure. */
export function maybeFailure(value: string): boolean {
  return value.includes(failureMark)
}

/**
 * The stored value.
 * @throws {ResultFailure} if it is a failure.
 */
export function decodeResult(value: string, traceback?: string): unknown {
  const result = parse(value) as { __t?: unknown; exn?: { type: string; msg: string } } | null
  if (typeof result === 'object' && result?.__t === failureMark && result.exn) {
    throw new ResultFailure(result.exn.type, result.exn.msg, traceback)
  }
  return result
}

/** JSON, plus the numbers that Python writes although JSON lacks them: `NaN`, `Infinity`, `-Infinity`. */
function parse(value: string): unknown {
  try {
    return JSON.parse(value)
  } catch {
    // Reported below if the text is invalid.
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
