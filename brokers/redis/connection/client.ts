/**
 * The client: ioredis, set so that it connects when it is first used, never repeats a command on its own, and never
 * keeps a process alive.
 */
import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Cluster, Redis, RedisOptions } from 'ioredis'
import { isBundled, ownRequire } from '../../../lib/bundled.js'
import { DependencyMissing } from '../../../lib/errors.js'
import { backoff, longestTimeout, startTimer } from '../../../lib/time.js'
import type { RedisConnectionOptions } from './options.js'

export type Client = Redis | Cluster

/** Whether there is anybody who wants the client. */
export interface ClientDemand {
  /** Nobody will, ever again. */
  readonly isOver: () => boolean
  /** Somebody waits for it now. */
  readonly isUrgent: () => boolean
}

export function makeClient({ url, redis, nodes, cluster }: RedisConnectionOptions, demand: ClientDemand): Client {
  const { Redis, Cluster } = loadClient()
  const ours = { lazyConnect: true, enableOfflineQueue: false } as const
  const retryStrategy = (times: number): number => backoff(times - 1, { factor: 25, max: 2000 })
  // A connection that is given up is not waited for: the other side may never say goodbye.
  // And what keeps a connection open on the way, or tells that it is gone: TCP's own look, where it is idle that long (ms).
  const tcp = { disconnectTimeout: 250, keepAlive: 30_000 }
  const redisOptions = { ...withinTimers(redis), autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 }
  if (nodes) {
    const client = new Cluster([...nodes], {
      clusterRetryStrategy: retryStrategy,
      ...withinTimers(cluster),
      ...ours,
      // Whatever was on its way to a node whose connection broke would be sent again, done or not. Other repetitions
      // are left on: MOVED, ASK, TRYAGAIN and CLUSTERDOWN are said before anything is done.
      retryDelayOnFailover: 0,
      redisOptions: { ...tcp, ...withinTimers(cluster?.redisOptions), ...redisOptions },
    })
    client.on('+node', (node: Redis) => unrefWhenConnected(node))
    client.on('reconnecting', () => (client as unknown as ClientInternals).reconnectTimeout?.unref())
    return client
  }
  // Told of a new master by the sentinel: the old one may go on taking messages for many seconds that are lost with it.
  const sentinel = { failoverDetector: true, sentinelRetryStrategy: () => null }
  const options: RedisOptions = { ...tcp, retryStrategy, ...sentinel, ...redisOptions, ...ours }
  const client =
    url === undefined ? new Redis(redis ? options : { ...options, host: '127.0.0.1' }) : new Redis(url, options)
  unrefWhenConnected(client)
  if (redis?.sentinels) retrySentinels(client, retryStrategy, demand)
  return client
}

/** What ioredis gives to Node's timers, which fire at once when they are too long. */
const timeouts = [
  'connectTimeout',
  'commandTimeout',
  'socketTimeout',
  'blockingTimeout',
  'disconnectTimeout',
  'sentinelCommandTimeout',
  'slotsRefreshTimeout',
  'slotsRefreshInterval',
] as const

/** Options of a client, the timeouts among them no longer than a timer may be. */
function withinTimers(options: object | undefined): object {
  const read: Record<string, unknown> = { ...options }
  for (const name of timeouts) {
    const timeout = read[name]
    if (typeof timeout === 'number') read[name] = Math.min(timeout, longestTimeout)
  }
  return read
}

/** How long an attempt to connect may hang, in milliseconds, where the options say so. */
export function connectTimeoutOf({ redis, cluster }: RedisConnectionOptions): number | undefined {
  return redis?.connectTimeout ?? cluster?.redisOptions?.connectTimeout
}

/** What of a client keeps a process alive. */
interface ClientInternals {
  readonly stream?: { unref?(): void }
  readonly reconnectTimeout?: NodeJS.Timeout | null
  /** What hears of a new master. */
  readonly connector?: { readonly failoverDetector?: { readonly sentinels?: readonly { client: Redis }[] } }
  /** What a cluster hears messages with. */
  readonly subscriber?: { getInstance?(): unknown }
}

/**
 * Lets the process end while the client is connected, or tries to be. Whoever waits for an answer has a timer besides,
 * which keeps the process until the answer is there.
 */
function unrefWhenConnected(client: Redis): void {
  const unref = (): void => unrefAll(client)
  // The socket is made a moment after this is said; with a name of several addresses, another one before the next.
  client.on('connecting', () => setImmediate(unref))
  client.on('connect', unref)
  client.on('reconnecting', unref)
}

/**
 * Gives a connection up, with all that is still on its way, and lets another be made. Where TCP can be told, what Redis
 * hasn't got yet is thrown away rather than delivered late.
 */
export function dropConnection(client: Client): void {
  const connections = 'nodes' in client ? client.nodes() : [client]
  for (const connection of connections) {
    const { stream } = connection as unknown as ClientInternals
    // It is for plain TCP: not for TLS, nor for the socket of a file. And it must come before all politeness.
    if (!(stream instanceof Socket) || stream instanceof TLSSocket) continue
    if (!stream.connecting && !stream.destroyed && stream.remotePort !== undefined) stream.resetAndDestroy()
  }
  client.disconnect(true)
}

/** Longer than ioredis keeps the process alive each time that it found no sentinel: 2 seconds. */
const idlePause = 5000

/**
 * Asks the sentinels for the master until one of them knows it. ioredis would do it, too, but with timers that keep the
 * process alive; so do the connections on which it hears of a new master.
 */
function retrySentinels(client: Redis, pause: (times: number) => number, { isOver, isUrgent }: ClientDemand): void {
  let times = 0
  const connect = (): void => {
    if (!isOver() && client.status === 'end') client.connect().catch(() => {})
  }
  client.on('end', () => {
    if (!isOver()) startTimer(connect, isUrgent() ? pause(++times) : idlePause).unref()
  })
  client.on('ready', () => {
    times = 0
    for (const sentinel of (client as unknown as ClientInternals).connector?.failoverDetector?.sentinels ?? []) {
      unrefWhenConnected(sentinel.client)
      unrefAll(sentinel.client)
    }
  })
}

/** Whether the connection speaks RESP3. */
export function speaksResp3(client: Client | undefined): boolean {
  return (client as { condition?: { protocol?: number } } | undefined)?.condition?.protocol === 3
}

/** Lets go of what a cluster listens with, of which it tells nobody. */
export function unrefSubscriber(client: Client): void {
  const subscriber = (client as unknown as ClientInternals).subscriber?.getInstance?.()
  if (subscriber) unrefAll(subscriber)
}

function unrefAll(client: unknown): void {
  const { stream, reconnectTimeout } = client as ClientInternals
  stream?.unref?.()
  reconnectTimeout?.unref()
}

let ioredis: typeof import('ioredis') | undefined

/** Loaded when the first broker is made, so that importing dramatis stays cheap. */
export function loadClient(): typeof import('ioredis') {
  try {
    ioredis ??= load()
    return ioredis
  } catch (cause) {
    throw new DependencyMissing('ioredis', 'The Redis broker', { cause })
  }
}

function load(): typeof import('ioredis') {
  if (isBundled) {
    try {
      // Where bundlers follow it, the client is in the bundle, too.
      return require('ioredis')
    } catch {
      // It is to be had from outside, or not at all.
    }
  }
  return ownRequire('ioredis')
}

/** Options that ioredis has no default for. */
const optionsWithoutDefault = [
  'tls',
  'path',
  'keyPrefix',
  'commandTimeout',
  'socketTimeout',
  'sentinelUsername',
  'sentinelPassword',
]

/** Whether ioredis has an option of that name. */
export function isClientOption(name: string): boolean {
  const { defaultOptions } = loadClient().Redis as unknown as { defaultOptions: object }
  return Object.hasOwn(defaultOptions, name) || optionsWithoutDefault.includes(name)
}
