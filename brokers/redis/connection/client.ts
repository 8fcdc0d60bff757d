/**
 * Creates the ioredis client. It connects on first use, never repeats a command on its own, and never keeps a process
 * alive.
 */
import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Cluster, Redis, RedisOptions } from 'ioredis'
import { isBundled, ownRequire } from '../../../lib/bundled.js'
import { DependencyMissing } from '../../../lib/errors.js'
import { backoff, longestTimeout, startTimer } from '../../../lib/time.js'
import type { RedisConnectionOptions } from './options.js'

export type Client = Redis | Cluster

/** Whether the client is still needed. */
export interface ClientDemand {
  /** The client will never be needed again. */
  readonly isOver: () => boolean
  /** A caller is waiting for it now. */
  readonly isUrgent: () => boolean
}

export function makeClient({ url, redis, nodes, cluster }: RedisConnectionOptions, demand: ClientDemand): Client {
  const { Redis, Cluster } = loadClient()
  const ours = { lazyConnect: true, enableOfflineQueue: false } as const
  const retryStrategy = (times: number): number => backoff(times - 1, { factor: 25, max: 2000 })
  // Don't wait long for the other side to close a dropped connection: it may never do so.
  // TCP's keep-alive probe of a connection that was idle for that long (ms) keeps it open, or detects that it is gone.
  const tcp = { disconnectTimeout: 250, keepAlive: 30_000 }
  const redisOptions = { ...withinTimers(redis), autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 }
  if (nodes) {
    const client = new Cluster([...nodes], {
      clusterRetryStrategy: retryStrategy,
      ...withinTimers(cluster),
      ...ours,
      // ioredis would resend commands that were in flight to a node when its connection broke, executed or not. Its
      // other retries stay on: MOVED, ASK, TRYAGAIN and CLUSTERDOWN are the reply before anything is executed.
      retryDelayOnFailover: 0,
      redisOptions: { ...tcp, ...withinTimers(cluster?.redisOptions), ...redisOptions },
    })
    client.on('+node', (node: Redis) => unrefWhenConnected(node))
    client.on('reconnecting', () => (client as unknown as ClientInternals).reconnectTimeout?.unref())
    return client
  }
  // The sentinel notifies us of a new master. Without that, the old one could accept messages for many more seconds,
  // which would be lost with it.
  const sentinel = { failoverDetector: true, sentinelRetryStrategy: () => null }
  const options: RedisOptions = { ...tcp, retryStrategy, ...sentinel, ...redisOptions, ...ours }
  const client =
    url === undefined ? new Redis(redis ? options : { ...options, host: '127.0.0.1' }) : new Redis(url, options)
  unrefWhenConnected(client)
  if (redis?.sentinels) retrySentinels(client, retryStrategy, demand)
  return client
}

/** Options that ioredis passes to Node's timers, which fire immediately when the delay is too long. */
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

/** Returns the options of a client, with the timeouts limited to the longest delay that a timer of Node can have. */
function withinTimers(options: object | undefined): object {
  const read: Record<string, unknown> = { ...options }
  for (const name of timeouts) {
    const timeout = read[name]
    if (typeof timeout === 'number') read[name] = Math.min(timeout, longestTimeout)
  }
  return read
}

/** The connect timeout in milliseconds, if the options set one. */
export function connectTimeoutOf({ redis, cluster }: RedisConnectionOptions): number | undefined {
  return redis?.connectTimeout ?? cluster?.redisOptions?.connectTimeout
}

/** The parts of a client that keep a process alive. */
interface ClientInternals {
  readonly stream?: { unref?(): void }
  readonly reconnectTimeout?: NodeJS.Timeout | null
  /** Receives notifications of a new master. */
  readonly connector?: { readonly failoverDetector?: { readonly sentinels?: readonly { client: Redis }[] } }
  /** The connection on which a cluster client receives published messages. */
  readonly subscriber?: { getInstance?(): unknown }
}

/**
 * Lets the process end while the client is connected or connecting. A caller that waits for a reply has a timer, which
 * keeps the process alive until the reply arrives.
 */
function unrefWhenConnected(client: Redis): void {
  const unref = (): void => unrefAll(client)
  // The socket is created just after this event; if the host name has several addresses, one socket for each attempt.
  client.on('connecting', () => setImmediate(unref))
  client.on('connect', unref)
  client.on('reconnecting', unref)
}

/**
 * Drops a connection with everything in flight, so that another can be made. On plain TCP, data that Redis hasn't
 * received yet is discarded rather than delivered late.
 */
export function dropConnection(client: Client): void {
  const connections = 'nodes' in client ? client.nodes() : [client]
  for (const connection of connections) {
    const { stream } = connection as unknown as ClientInternals
    // A reset works on plain TCP only: not on TLS, nor on a Unix socket. It must come before the orderly disconnect.
    if (!(stream instanceof Socket) || stream instanceof TLSSocket) continue
    if (!stream.connecting && !stream.destroyed && stream.remotePort !== undefined) stream.resetAndDestroy()
  }
  client.disconnect(true)
}

/** In milliseconds. Longer than ioredis keeps the process alive after it found no sentinel, which is 2 seconds. */
const idlePause = 5000

/**
 * Queries the sentinels for the master until one of them knows it. ioredis can do that, too, but its timers would keep
 * the process alive, as would the connections on which it is notified of a new master.
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

/** Whether the connection uses RESP3. */
export function speaksResp3(client: Client | undefined): boolean {
  return (client as { condition?: { protocol?: number } } | undefined)?.condition?.protocol === 3
}

/** Stops a cluster client's subscriber connection from keeping the process alive. ioredis emits no event for it. */
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

/** Loads ioredis when the first broker is created, so that importing dramatis stays cheap. */
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
      // A bundler that follows this call puts the client into the bundle.
      return require('ioredis')
    } catch {
      // Not in the bundle: look for it outside.
    }
  }
  return ownRequire('ioredis')
}

/** Options of ioredis without a default value. */
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
