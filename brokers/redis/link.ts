/**
 * A link is one ioredis client with deadlines: what is asked of it comes to an end in the time given, whatever the
 * server or the network does. It connects when it is first used, reconnects by itself, and never repeats a command
 * on its own: whoever asked knows whether that is safe.
 */
import { createRequire } from 'node:module'
import type { Cluster, ClusterOptions, Redis, RedisOptions } from 'ioredis'
import { BrokerError, ConnectionFailed, DependencyMissing, InvalidOption } from '../../lib/errors.js'
import { getLogger } from '../../lib/logger.js'
import { backoff } from '../../lib/time.js'
import type { Script } from './scripts.js'

/** How to reach Redis. */
export interface RedisConnectionOptions {
  /**
   * Where Redis is: `redis://`, or `rediss://` for TLS, with user, password and database where needed.
   * @default 'redis://127.0.0.1:6379/0', where neither `redis` nor `nodes` says otherwise
   */
  url?: string
  /** Options of ioredis, for what a URL can't say: `sentinels` and `name`, `tls`, `username`, `connectTimeout`, … */
  redis?: Omit<RedisOptions, 'keyPrefix' | 'lazyConnect'>
  /** Some nodes of a Redis Cluster. The namespace must then be hash-tagged, such as `{dramatiq}`. */
  nodes?: readonly (string | { host: string; port: number })[]
  /** Options of ioredis for the cluster itself, such as `natMap`. */
  cluster?: ClusterOptions
}

/** The names of those settings. */
export const connectionOptionNames = ['url', 'redis', 'nodes', 'cluster'] as const

export type Client = Redis | Cluster
export type Argument = string | number | Buffer

/** How long an answer may take where nobody says otherwise, in milliseconds. */
export const patience = 5000
/** A connection that owes an answer and says nothing for this long is given up, once somebody's patience ended. */
const longestSilence = 2000

export class Link {
  readonly #options: RedisConnectionOptions
  readonly #purpose: string
  #client: Client | undefined
  #pending = 0
  #heardAt = 0
  #failure: Error | undefined
  #down = false
  #closed = false
  readonly #reconnected = new Set<() => void>()
  /** Those who wait for the connection to be there. */
  readonly #waiting = new Set<(error?: Error) => void>()
  readonly #onConnect: ((link: Link) => void) | undefined
  #introduced = false

  /**
   * @param purpose What the connection is for, as the log calls it.
   * @param onConnect Called once, after the first connection.
   */
  constructor(options: RedisConnectionOptions, purpose: string, onConnect?: (link: Link) => void) {
    this.#options = options
    this.#purpose = purpose
    this.#onConnect = onConnect
    if (options.redis && 'keyPrefix' in options.redis) {
      throw new InvalidOption('Expected no "keyPrefix": the namespace is what the keys begin with.', 'keyPrefix')
    }
    loadClient()
  }

  get isCluster(): boolean {
    return this.#options.nodes !== undefined
  }

  /** Whether the connection speaks RESP3, and so can hear messages and run commands at the same time. */
  get hearsAndSpeaks(): boolean {
    const { condition } = (this.#client ?? {}) as { condition?: { protocol?: number } }
    return !this.isCluster && condition?.protocol === 3
  }

  /** Runs a script. Its answer has texts, or Buffers where `binary` is asked for. */
  run(
    { sha, source }: Script,
    keys: readonly string[],
    args: readonly Argument[],
    { timeout = patience, binary = false }: { timeout?: number; binary?: boolean } = {},
  ): Promise<unknown> {
    return this.call(async (client) => {
      const all = [keys.length, ...keys, ...args] as [number, ...string[]]
      try {
        return await (binary ? client.callBuffer('EVALSHA', [sha, ...all]) : client.evalsha(sha, ...all))
      } catch (error) {
        if (!(error as Error).message.startsWith('NOSCRIPT')) throw error
        return binary ? client.callBuffer('EVAL', [source, ...all]) : client.eval(source, ...all)
      }
    }, timeout)
  }

  /**
   * Asks the client for something.
   *
   * @param timeout How long the answer may take, connecting included.
   * @throws {ConnectionFailed} when there is no answer, and it may be asked again; `unanswered` says whether it may have
   * been done all the same. {BrokerError} when Redis refused.
   */
  async call<T>(ask: (client: Client) => Promise<T>, timeout = patience): Promise<T> {
    const startedAt = Date.now()
    let client = this.#client
    if (client?.status !== 'ready') {
      client = await this.#ready(timeout)
      timeout = Math.max(1, timeout - (Date.now() - startedAt))
    }
    if (this.#pending++ === 0) this.#hold(true)
    if (this.#pending === 1) this.#heardAt = Date.now()
    let timer: NodeJS.Timeout | undefined
    let open = true
    try {
      const deadline = new Promise<never>((_, reject) => {
        const giveUp = (): void => {
          if (open && Date.now() - this.#heardAt >= longestSilence) this.reset()
          reject(new Unanswered(`Redis did not answer within ${timeout} ms.`))
        }
        // When the event loop was busy for as long, the answer may be there, and is read before this.
        timer = setTimeout(() => setImmediate(giveUp), timeout)
      })
      const answer = await Promise.race([ask(client), deadline])
      this.#heardAt = Date.now()
      return answer
    } catch (error) {
      throw this.#explain(error as Error)
    } finally {
      open = false
      clearTimeout(timer)
      if (--this.#pending === 0) this.#hold(false)
    }
  }

  /**
   * Calls a listener whenever there is a new connection in place of one that was lost.
   * @returns What ends that.
   */
  onReconnect(listener: () => void): () => void {
    this.#reconnected.add(listener)
    return () => void this.#reconnected.delete(listener)
  }

  /** Drops the connection and makes a new one. */
  reset(): void {
    this.#client?.disconnect(true)
  }

  close(): void {
    this.#closed = true
    this.#client?.disconnect()
    this.#client = undefined
    const error = new ConnectionFailed('The connection to Redis is closed.', { cause: this.#failure })
    for (const settle of this.#waiting) settle(error)
  }

  // — Connecting —————————————————————————————————————————————————————————————————————————————————————————

  async #ready(timeout: number): Promise<Client> {
    if (this.#closed) throw new ConnectionFailed('The connection to Redis is closed.')
    this.#client ??= this.#make()
    const client = this.#client
    if (client.status === 'wait' || client.status === 'end') client.connect().catch(() => {})
    if (client.status === 'ready') return client
    return new Promise((resolve, reject) => {
      const settle = (error?: Error): void => {
        clearTimeout(timer)
        this.#waiting.delete(settle)
        if (error) reject(error)
        else resolve(client)
      }
      const timer = setTimeout(() => {
        const why = this.#failure ? ` (${this.#failure.message})` : ''
        settle(new ConnectionFailed(`Redis could not be reached within ${timeout} ms${why}.`, { cause: this.#failure }))
      }, timeout)
      this.#waiting.add(settle)
    })
  }

  #make(): Client {
    const client = makeClient(this.#options)
    client.on('error', (error) => this.#broke(error))
    client.on('close', () => this.#broke())
    client.on('ready', () => this.#isUp())
    client.on('end', () => {
      const error = new ConnectionFailed('The connection to Redis is closed.', { cause: this.#failure })
      for (const settle of this.#waiting) settle(error)
    })
    return client
  }

  #broke(error?: Error): void {
    this.#failure = error ?? this.#failure
    if (this.#down || this.#closed) return
    this.#down = true
    getLogger().warn({ err: error, purpose: this.#purpose }, 'The connection to Redis is lost; reconnecting')
  }

  #isUp(): void {
    if (this.#down) getLogger().info({ purpose: this.#purpose }, 'Redis is reached again')
    this.#down = false
    this.#failure = undefined
    for (const settle of this.#waiting) settle()
    if (this.#pending === 0) this.#hold(false)
    if (this.#introduced) for (const listener of this.#reconnected) listener()
    else this.#onConnect?.(this)
    this.#introduced = true
  }

  /** Keeps the process alive while an answer is owed, and lets it end when none is. */
  #hold(hold: boolean): void {
    const { stream } = (this.#client ?? {}) as { stream?: { ref?(): void; unref?(): void } }
    if (hold) stream?.ref?.()
    else stream?.unref?.()
  }

  #explain(error: Error): Error {
    if (error instanceof BrokerError) return error
    const { message } = error
    if (message.startsWith("Stream isn't writeable")) return new ConnectionFailed('Redis is away.', { cause: error })
    if (error.name !== 'ReplyError')
      return new Unanswered(`The connection to Redis was lost: ${message}`, { cause: error })
    if (message.includes('READONLY')) {
      // A master that became a replica: the next connection finds the new master.
      this.reset()
      return new ConnectionFailed('This Redis is a replica now; looking for the master.', { cause: error })
    }
    if (message.includes('OOM command not allowed')) {
      const advice = 'raise maxmemory, or let the workers catch up'
      return new BrokerError(`Redis is full and stores nothing more: ${advice}. (${message})`, { cause: error })
    }
    if (/^(-?)(LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|UNBLOCKED|NOREPLICAS)\b/.test(message)) {
      return new ConnectionFailed(`Redis can't answer just now: ${message}`, { cause: error })
    }
    return new BrokerError(`Redis refused: ${message}`, { cause: error })
  }
}

/** There was no answer: what was asked may have been done, or may still be. */
export class Unanswered extends ConnectionFailed {
  override get name(): string {
    return 'ConnectionFailed'
  }
}

// — Internal helpers —————————————————————————————————————————————————————————————————————————————————————

const require = createRequire(import.meta.url)
let ioredis: typeof import('ioredis') | undefined

/** Loaded when the first broker is made, so that importing dramatis stays cheap. */
function loadClient(): typeof import('ioredis') {
  try {
    ioredis ??= require('ioredis') as typeof import('ioredis')
    return ioredis
  } catch (cause) {
    throw new DependencyMissing('ioredis', 'The Redis broker', { cause })
  }
}

function makeClient({ url, redis, nodes, cluster }: RedisConnectionOptions): Client {
  const { Redis, Cluster } = loadClient()
  const ours = { lazyConnect: true, enableOfflineQueue: false } as const
  const retryStrategy = (times: number): number => backoff(times - 1, { factor: 25, max: 2000 })
  // A connection that is given up is not waited for: the other side may never say goodbye.
  const hangUp = { disconnectTimeout: 250 }
  const redisOptions = { ...redis, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 }
  if (nodes) {
    const clusterRetryStrategy = retryStrategy
    return new Cluster([...nodes], {
      clusterRetryStrategy,
      ...cluster,
      ...ours,
      redisOptions: { ...hangUp, ...cluster?.redisOptions, ...redisOptions },
    })
  }
  // Told of a new master by the sentinel: the old one may go on taking messages for many seconds that are lost with it.
  const options: RedisOptions = { ...hangUp, retryStrategy, failoverDetector: true, ...redisOptions, ...ours }
  if (url !== undefined) return new Redis(url, options)
  return new Redis(redis ? options : { ...options, host: '127.0.0.1' })
}
