/** State in Redis, under `<namespace>:state:`. Watches share one subscribed connection. */
import { BrokerClosed } from '../../lib/errors.js'
import type { StateBackend, StatePage, StatePageOptions } from '../../lib/state/backend.js'
import type { Refusal, StateChange } from '../../lib/state/changes.js'
import { OpenWatches } from '../../lib/state/open-watches.js'
import { uuid } from '../../lib/uuid.js'
import { defaultTimeout } from './connection/call-options.js'
import { type Client, isClientOption } from './connection/client.js'
import {
  checkNamespace,
  connectionOptionNames,
  type RedisConnectionOptions,
  readConnection,
} from './connection/options.js'
import { retryIdempotent } from './connection/retry.js'
import { Keys } from './keys.js'
import type { Argument } from './scripts.js'
import { script } from './scripts.js'
import { packChanges, readRefusal } from './sending/state-changes.js'
import { SharedConnections } from './shared-connections.js'

export interface RedisStateOptions extends RedisConnectionOptions {
  /**
   * The prefix of all keys. On a Redis Cluster it must have a hash tag: `'{dramatiq}'`.
   * @default 'dramatiq'
   */
  namespace?: string | undefined
}

/** How long the mark of a call is kept, in milliseconds: a lost connection may still deliver it for so long. */
const markTtl = 900_000

/** A mark that no retry needs any more: the call has its reply, in milliseconds. */
const shortMarkTtl = 30_000

/** Keeps state in Redis. The RedisBroker has one; create one for a broker that keeps none. */
export class RedisState implements StateBackend {
  readonly #connections: SharedConnections
  readonly #keys: Keys
  readonly #watches = new OpenWatches()
  #closed = false

  /** Connects on first use, and shares the connections of a broker with the same settings. */
  constructor(options: RedisStateOptions = {}) {
    const where = readConnection(options, [...connectionOptionNames, 'namespace'], 'RedisState', isClientOption)
    const { namespace = 'dramatiq' } = options
    checkNamespace(namespace, where)
    this.#keys = new Keys(namespace, { isCluster: where.nodes !== undefined })
    this.#connections = SharedConnections.open(where)
  }

  get #open(): SharedConnections {
    if (this.#closed) throw new BrokerClosed()
    return this.#connections
  }

  async read(keys: readonly string[]): Promise<readonly (string | undefined)[]> {
    if (keys.length === 0) return []
    const found = await this.#read((client) => client.mget(keys.map((key) => this.#keys.state(key))))
    return found.map((value) => value ?? undefined)
  }

  async readSet(key: string, among?: readonly string[]): Promise<readonly string[]> {
    const name = this.#keys.state(key)
    if (!among) return this.#read((client) => client.smembers(name))
    if (among.length === 0) return []
    const found = await this.#read((client) => client.smismember(name, ...among))
    return among.filter((_, index) => found[index] === 1)
  }

  size(key: string): Promise<number> {
    return this.#read((client) => client.scard(this.#keys.state(key)))
  }

  async apply(
    changes: readonly StateChange[],
    { timeout = defaultTimeout }: { timeout?: number | undefined } = {},
  ): Promise<Refusal | undefined> {
    if (changes.length === 0) return undefined
    const mark = changes.every(isRepeatable) ? '' : shortMarkTtl
    const keys = [this.#keys.sent(uuid())]
    const args: Argument[] = [mark, changes.length]
    packChanges(changes, this.#keys, keys, args)
    const { commands } = this.#open
    const reply = await retryIdempotent(
      timeout,
      (attempt) => {
        if (mark !== '' && attempt.mayHaveRun) args[0] = markTtl
        return commands.run(script('change-state'), keys, args, attempt)
      },
      () => this.#closed,
    )
    return readRefusal(reply)
  }

  async list(prefix: string, options: StatePageOptions = {}): Promise<StatePage> {
    const { cursor = '', limit = 100 } = options
    const args = [prefix, cursor, limit, this.#keys.state('')]
    const { commands } = this.#open
    const reply = (await retryIdempotent(defaultTimeout, (attempt) =>
      commands.run(script('list-state'), [this.#keys.listedState], args, attempt),
    )) as string[]
    const next = reply.pop()
    const entries = Array.from({ length: reply.length / 2 }, (_, index) => {
      return { key: reply[2 * index] as string, value: reply[2 * index + 1] as string }
    })
    return { entries, cursor: next || undefined }
  }

  watch(key: string, listener: () => void): () => void {
    const stop = this.#open.subscriptions.watch(this.#keys.state(key), listener)
    return this.#watches.add(stop, listener)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#watches.end()
    this.#connections.release()
  }

  async #read<T>(call: (client: Client) => Promise<T>): Promise<T> {
    const { commands } = this.#open
    return retryIdempotent(
      defaultTimeout,
      (attempt) => commands.call(call, attempt),
      () => this.#closed,
    )
  }
}

/** Whether making the change twice has the effect of making it once, whatever happens in between. */
function isRepeatable(change: StateChange): boolean {
  if (change.kind === 'set') return change.expected === undefined
  return change.kind === 'add' ? !change.once && change.below === undefined : change.kind === 'remove'
}
