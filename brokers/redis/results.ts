/**
 * Results in Redis, as Dramatiq keeps them: a list of one under an md5 key, with a time to live. Beside it, under a key
 * of ours, the traceback of a failure. Who waits is told by a message on the channel `<namespace>:<key>`.
 */
import { maybeFailure, ResultBackend, type ResultBackendOptions, type StoredResult } from '../../lib/results/backend.js'
import { TurnBatch } from '../../lib/turn-batch.js'
import { isClientOption } from './client.js'
import { Connection } from './connection.js'
import { connectionOptionNames, type RedisConnectionOptions, readConnection } from './options.js'
import { script } from './scripts.js'

export interface RedisResultsOptions extends ResultBackendOptions, RedisConnectionOptions {}

interface Put extends StoredResult {
  readonly key: string
  readonly ttl: number
}

export class RedisResults extends ResultBackend {
  readonly #connection: Connection
  readonly #puts: TurnBatch<Put>

  /** Connects on first use, and shares the connections of a broker with the same settings. */
  constructor(options: RedisResultsOptions = {}) {
    const where = readConnection(options, [...connectionOptionNames, 'namespace'], 'RedisResults', isClientOption)
    super(options)
    this.#connection = Connection.open(where)
    // The keys are hashes and so lie all over a cluster: there each result is a call of its own.
    this.#puts = new TurnBatch((batch) => this.#store(batch), { most: where.nodes ? 1 : 250 })
  }

  protected put(key: string, { value, traceback }: StoredResult, ttl: number): Promise<void> {
    return this.#puts.add({ key, value, traceback, ttl })
  }

  async #store(batch: readonly Put[]): Promise<void> {
    const keys = batch.flatMap(({ key }) => [key, tracebackKey(key)])
    const args = batch.flatMap(({ key, value, ttl, traceback = '' }) => [
      value,
      Math.max(1, ttl),
      traceback,
      this.#channel(key),
    ])
    await this.#connection.commands.run(script('store-results'), keys, args)
  }

  protected async peek(key: string): Promise<StoredResult | undefined> {
    const value = await this.#connection.commands.call((client) => client.lindex(key, 0))
    if (value === null) return undefined
    // Asked for apart, so that a success costs one command.
    if (!maybeFailure(value)) return { value }
    const traceback = await this.#connection.commands.call((client) => client.get(tracebackKey(key)))
    return { value, traceback: traceback ?? undefined }
  }

  protected wait(key: string, timeout: number): Promise<StoredResult | undefined> {
    return this.#connection.ears.waitFor(this.#channel(key), () => this.peek(key), timeout)
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
