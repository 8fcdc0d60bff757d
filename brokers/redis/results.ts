/**
 * Results in Redis, as Dramatiq keeps them: a list of one under an md5 key, with a time to live. Beside it, under a key
 * of ours, the traceback of a failure. Who waits is told by a message on the channel `<namespace>:<key>`.
 */
import { ResultFailure } from '../../lib/errors.js'
import type { Message } from '../../lib/message.js'
import { refuseUnknown } from '../../lib/options.js'
import {
  encodeFailure,
  ResultBackend,
  type ResultBackendOptions,
  type StoredFailure,
} from '../../lib/results/backend.js'
import type { Duration } from '../../lib/time.js'
import { TurnBatch } from '../../lib/turn-batch.js'
import { Connection } from './connection.js'
import { connectionOptionNames, type RedisConnectionOptions } from './link.js'
import { script } from './scripts.js'

export interface RedisResultsOptions extends ResultBackendOptions, RedisConnectionOptions {}

interface Stored {
  readonly key: string
  readonly value: string
  readonly ttl: number
  readonly traceback: string
}

export class RedisResults extends ResultBackend {
  readonly #connection: Connection
  readonly #puts: TurnBatch<Stored>

  /** Connects on first use, and shares the connections of a broker with the same settings. */
  constructor(options: RedisResultsOptions = {}) {
    refuseUnknown(options, [...connectionOptionNames, 'namespace'], 'RedisResults')
    super(options)
    const { url, redis, nodes, cluster } = options
    this.#connection = Connection.open({ url, redis, nodes, cluster } as RedisConnectionOptions)
    // The keys are hashes and so lie all over a cluster: there each result is a call of its own.
    this.#puts = new TurnBatch((batch) => this.#store(batch), { most: nodes ? 1 : 250 })
  }

  protected put(key: string, value: string, ttl: number): Promise<void> {
    return this.#puts.add({ key, value, ttl, traceback: '' })
  }

  override storeFailure(message: Message, failure: StoredFailure, ttl: number): Promise<void> {
    const value = encodeFailure(failure)
    return this.#puts.add({ key: this.keyOf(message), value, ttl, traceback: failure.traceback ?? '' })
  }

  async #store(batch: readonly Stored[]): Promise<void> {
    const keys = batch.flatMap(({ key }) => [key, tracebackKey(key)])
    const args = batch.flatMap(({ key, value, ttl, traceback }) => [
      value,
      Math.max(1, ttl),
      traceback,
      this.#channel(key),
    ])
    await this.#connection.commands.run(script('store-results'), keys, args)
  }

  protected async peek(key: string): Promise<string | undefined> {
    return (await this.#connection.commands.call((client) => client.lindex(key, 0))) ?? undefined
  }

  protected wait(key: string, timeout: number): Promise<string | undefined> {
    return this.#connection.ears.waitFor(this.#channel(key), () => this.peek(key), timeout)
  }

  override async get(message: Message, options: { timeout?: Duration } = {}): Promise<unknown> {
    try {
      return await super.get(message, options)
    } catch (error) {
      if (!(error instanceof ResultFailure)) throw error
      const key = tracebackKey(this.keyOf(message))
      const traceback = await this.#connection.commands.call((client) => client.get(key))
      throw new ResultFailure(error.type, error.reason, traceback ?? undefined)
    }
  }

  override async close(): Promise<void> {
    await this.#puts.idle()
    if (!this.#closed) this.#connection.release()
    this.#closed = true
  }
  #closed = false

  #channel(key: string): string {
    return `${this.namespace}:${key}`
  }
}

/** In the same slot of a cluster as the result. */
function tracebackKey(key: string): string {
  return `{${key}}:traceback`
}
