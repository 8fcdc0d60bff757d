/**
 * Results in Redis, as Dramatiq keeps them: a list with one element under an MD5 key, with a time to live. The
 * traceback of a failure has an additional key of ours. Waiting callers are notified on the channel
 * `<namespace>:<key>`.
 */
import { BrokerClosed } from '../../lib/errors.js'
import { maybeFailure, ResultBackend, type ResultBackendOptions, type StoredResult } from '../../lib/results/backend.js'
import { settlesWithin } from '../../lib/time.js'
import { TurnBatch } from '../../lib/turn-batch.js'
import { defaultTimeout } from './connection/call-options.js'
import { type Client, isClientOption } from './connection/client.js'
import { connectionOptionNames, type RedisConnectionOptions, readConnection } from './connection/options.js'
import { type Attempt, retryIdempotent } from './connection/retry.js'
import { replyTimeout } from './connection/subscriptions.js'
import { script } from './scripts.js'
import { SharedConnections } from './shared-connections.js'

export interface RedisResultsOptions extends ResultBackendOptions, RedisConnectionOptions {}

/**
 * How long storing is retried, in milliseconds, so that a lost reply doesn't make a finished actor run again. If Redis
 * is unreachable for longer, the message is delivered again, as after any failed plugin. The limit is shorter than a
 * stopping worker waits (`shutdownTimeout`, 25 s), and than it takes until others get the message (`heartbeatTimeout`,
 * 1 min).
 */
const storeTimeout = 20_000

interface Put extends StoredResult {
  readonly key: string
  readonly ttl: number
}

export class RedisResults extends ResultBackend {
  readonly #connections: SharedConnections
  readonly #puts: TurnBatch<Put>
  #closed = false

  /** Connects on first use, and shares the connections of a broker with the same settings. */
  constructor(options: RedisResultsOptions = {}) {
    const where = readConnection(options, [...connectionOptionNames, 'namespace'], 'RedisResults', isClientOption)
    super(options)
    this.#connections = SharedConnections.open(where)
    // The keys are hashes and so are spread over all slots of a cluster: there each result is a separate call.
    this.#puts = new TurnBatch((batch) => this.#store(batch), { most: where.nodes ? 1 : 250 })
  }

  get #open(): SharedConnections {
    if (this.#closed) throw new BrokerClosed()
    return this.#connections
  }

  protected async put(key: string, { value, traceback }: StoredResult, ttl: number): Promise<void> {
    if (this.#closed) throw new BrokerClosed()
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
    const { commands } = this.#connections
    const store = (attempt: Attempt): Promise<unknown> => commands.run(script('store-results'), keys, args, attempt)
    await retryIdempotent(storeTimeout, store, () => this.#closed)
  }

  protected async peek(key: string, timeout = 0): Promise<StoredResult | undefined> {
    const { commands } = this.#open
    const isOver = (): boolean => this.#closed
    const callRetried = <T>(what: (client: Client) => Promise<T>): Promise<T> =>
      retryIdempotent(replyTimeout(timeout), (attempt) => commands.call(what, attempt), isOver)
    const value = await callRetried((client) => client.lindex(key, 0))
    if (value === null) return undefined
    // A separate call, so that a success costs only one command.
    if (!maybeFailure(value)) return { value }
    const traceback = await callRetried((client) => client.get(tracebackKey(key)))
    return { value, traceback: traceback ?? undefined }
  }

  protected async wait(key: string, timeout: number): Promise<StoredResult | undefined> {
    const read = (readTimeout: number): Promise<StoredResult | undefined> => this.peek(key, readTimeout)
    return this.#open.subscriptions.waitFor({ owner: this, channel: this.#channel(key), read, timeout })
  }

  protected override async remove(key: string): Promise<void> {
    const { commands } = this.#open
    const remove = (attempt: Attempt): Promise<unknown> =>
      commands.call((client) => client.unlink(key, tracebackKey(key)), attempt)
    await retryIdempotent(defaultTimeout, remove, () => this.#closed)
  }

  override async check(timeout: number): Promise<void> {
    await this.#open.commands.call((client) => client.ping(), { timeout })
  }

  override async close(timeout = Number.POSITIVE_INFINITY): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#connections.subscriptions.endFor(this)
    await settlesWithin(timeout, this.#puts.idle())
    this.#connections.release()
  }

  #channel(key: string): string {
    return `${this.namespace}:${key}`
  }
}

/** The key of the traceback, in the same slot of a cluster as the result. */
function tracebackKey(key: string): string {
  return `{${key}}:traceback`
}
