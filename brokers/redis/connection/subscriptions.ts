/**
 * Waits for something that happens in Redis (a result, an event), thousands of waits on one connection. The process
 * that makes it happen publishes a notification. A slow poll backs that up, for what Python processes do.
 */
import { BrokerClosed, ConnectionFailed } from '../../../lib/errors.js'
import { startTimer } from '../../../lib/time.js'
import { defaultTimeout } from './call-options.js'
import type { Client } from './client.js'
import type { CommandConnection } from './command-connection.js'

/** How often a wait polls, in milliseconds: while subscribed, and while not (not yet, or for lack of permission). */
const pollInterval = { subscribed: 1000, notSubscribed: 100 }
/** The shortest timeout of a read (ms), even if less time is left to wait. A shorter one might never get a reply. */
const minReplyTimeout = 500

/** What to wait for. */
export interface Wait<T> {
  /** The owner of the wait: `endFor(owner)` ends it. */
  readonly owner: object
  /** The channel of the notifications. */
  readonly channel: string
  /** Reads what is waited for, if it is there. The timeout is in milliseconds. */
  readonly read: (timeout: number) => Promise<T | undefined>
  readonly timeout: number
}

interface Channel {
  readonly listeners: Set<() => void>
  /** Whether the subscription is active. */
  subscribed: boolean
  subscribing: Promise<void> | undefined
  /** Whether this user has no permission to subscribe. */
  refused: boolean
  /** How many of the listeners are watches, which don't poll. */
  watches: number
}

/** The timeout of one read when `left` milliseconds remain. */
export function replyTimeout(left: number): number {
  return Math.min(defaultTimeout, Math.max(minReplyTimeout, left))
}

export class Subscriptions {
  readonly #commands: CommandConnection
  readonly #makeConnection: () => CommandConnection
  #connection: CommandConnection | undefined
  readonly #attached = new WeakSet<Client>()
  readonly #channels = new Map<string, Channel>()
  readonly #rejections = new Map<object, Set<(error: Error) => void>>()

  /** @param makeConnection Makes a connection for subscriptions, if the one for commands can't be used for them. */
  constructor(commands: CommandConnection, makeConnection: () => CommandConnection) {
    this.#commands = commands
    this.#makeConnection = makeConnection
  }

  /**
   * Reads until there is a value: immediately, on each notification, and at an interval. While Redis is unreachable the
   * wait continues.
   * @returns The value, or `undefined` after `timeout` milliseconds.
   * @throws {ConnectionFailed} when Redis was unreachable at the end. {BrokerClosed} when the owner was closed.
   */
  async waitFor<T>(wait: Wait<T>): Promise<T | undefined> {
    const { owner } = wait
    const rejections = this.#rejections.get(owner) ?? new Set()
    this.#rejections.set(owner, rejections)
    const over = new AbortController()
    let rejectWait = (_: Error): void => {}
    const closed = new Promise<never>((_, reject) => {
      rejectWait = reject
    })
    rejections.add(rejectWait)
    try {
      return await Promise.race([this.#wait(wait, over.signal), closed])
    } finally {
      over.abort()
      rejections.delete(rejectWait)
      if (rejections.size === 0) this.#rejections.delete(owner)
    }
  }

  /**
   * Calls `listener` once the channel is subscribed, again after each reconnection (a notification may have been missed),
   * and for each notification. Without the permission to subscribe, it is called at an interval.
   * @returns A function that ends the watch.
   */
  watch(channel: string, listener: () => void): () => void {
    const own = (): void => listener()
    const state = this.#addListener(channel, own)
    state.watches++
    if (state.subscribed) queueMicrotask(own)
    let ended = false
    return () => {
      if (ended) return
      ended = true
      state.watches--
      this.#removeListener(channel, own)
    }
  }

  /** Rejects all waits of an owner that closes. */
  endFor(owner: object): void {
    for (const rejectWait of this.#rejections.get(owner) ?? []) rejectWait(new BrokerClosed())
  }

  close(): void {
    this.#connection?.close()
  }

  async #wait<T>({ channel, read, timeout }: Wait<T>, over: AbortSignal): Promise<T | undefined> {
    const deadline = performance.now() + timeout
    let wake = (): void => {}
    let notified = this.#channels.get(channel)?.subscribed ?? false
    const notify = (): void => {
      notified = true
      wake()
    }
    const state = this.#addListener(channel, notify)
    over.addEventListener('abort', notify)
    try {
      for (;;) {
        const left = Math.ceil(deadline - performance.now())
        if (!notified) {
          await new Promise<void>((resolve) => {
            const timer = startTimer(
              resolve,
              Math.min(left, state.subscribed ? pollInterval.subscribed : pollInterval.notSubscribed),
            )
            wake = () => {
              clearTimeout(timer)
              resolve()
            }
          })
        }
        notified = false
        if (over.aborted) return undefined
        const outcome = await tryRead(read, replyTimeout(deadline - performance.now()))
        if ('seen' in outcome && outcome.seen !== undefined) return outcome.seen
        if (performance.now() >= deadline) {
          if ('error' in outcome) throw outcome.error
          return undefined
        }
        this.#subscribe(channel, state)
      }
    } finally {
      this.#removeListener(channel, notify)
    }
  }

  #addListener(channel: string, notify: () => void): Channel {
    let state = this.#channels.get(channel)
    if (!state) {
      state = { listeners: new Set(), subscribed: false, subscribing: undefined, refused: false, watches: 0 }
      this.#channels.set(channel, state)
    }
    state.listeners.add(notify)
    this.#subscribe(channel, state)
    return state
  }

  #removeListener(channel: string, notify: () => void): void {
    const state = this.#channels.get(channel)
    state?.listeners.delete(notify)
    if (state?.listeners.size !== 0) return
    this.#channels.delete(channel)
    void (state.subscribing ?? Promise.resolve()).then(() => {
      if (!state.subscribed || this.#channels.has(channel)) return
      this.#connection?.call((client) => client.unsubscribe(channel)).catch(() => {})
    })
  }

  /** Ensures the subscription. Then all waits read once more, since a notification may have come before. */
  #subscribe(channel: string, state: Channel): void {
    if (state.subscribed || state.subscribing || state.refused) return
    const subscribe = async (): Promise<void> => {
      const connection = await this.#chooseConnection()
      await connection.call(async (client) => {
        this.#attach(client)
        await client.subscribe(channel)
      })
      state.subscribed = true
      for (const notify of state.listeners) notify()
    }
    state.subscribing = subscribe()
      .catch((error) => {
        state.refused = !(error instanceof ConnectionFailed)
      })
      .finally(() => {
        state.subscribing = undefined
        if (!state.subscribed && state.watches > 0) this.#retryLater(channel, state)
      })
  }

  /** Subscribes again after a moment; without the permission, the watches poll instead. */
  #retryLater(channel: string, state: Channel): void {
    const retry = (): void => {
      if (this.#channels.get(channel) !== state || state.watches === 0) return
      if (!state.refused) return this.#subscribe(channel, state)
      for (const notify of state.listeners) notify()
      this.#retryLater(channel, state)
    }
    startTimer(retry, pollInterval.notSubscribed).unref()
  }

  /** A notification may have been missed while the connection was lost. */
  #subscribeAgain(): void {
    for (const [channel, state] of this.#channels) {
      state.subscribed = false
      this.#subscribe(channel, state)
    }
  }

  #attach(client: Client): void {
    if (this.#attached.has(client)) return
    this.#attached.add(client)
    client.on('message', (channel: string) => {
      for (const notify of this.#channels.get(channel)?.listeners ?? []) notify()
    })
  }

  /** Returns the connection for commands, if it can also subscribe; otherwise a separate one. */
  async #chooseConnection(): Promise<CommandConnection> {
    if (this.#connection) return this.#connection
    await this.#commands.call(async () => {})
    if (!this.#connection) {
      this.#connection =
        this.#commands.canSubscribe || this.#commands.isCluster ? this.#commands : this.#makeConnection()
      this.#connection.onReconnect(() => this.#subscribeAgain())
    }
    return this.#connection
  }
}

/** Returns the value, or the error of an unreachable Redis, after which the wait can continue. */
async function tryRead<T>(
  read: (timeout: number) => Promise<T | undefined>,
  timeout: number,
): Promise<{ seen: T | undefined } | { error: ConnectionFailed }> {
  try {
    return { seen: await read(timeout) }
  } catch (error) {
    if (error instanceof ConnectionFailed) return { error }
    throw error
  }
}
