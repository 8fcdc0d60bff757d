/**
 * A command connection is one ioredis client with deadlines: every call ends within its timeout, whatever the server or
 * the network does. It connects on first use and reconnects by itself. It never repeats a command, since only the
 * caller knows whether that is safe.
 */
import { BrokerUnusable, ConnectionFailed } from '../../../lib/errors.js'
import { startTimer } from '../../../lib/time.js'
import { type Argument, evaluate, type Script } from '../scripts.js'
import { type CallOptions, defaultTimeout } from './call-options.js'
import { type Client, dropConnection, loadClient, makeClient, speaksResp3, unrefSubscriber } from './client.js'
import { causedBy, explain, explainOutage, isUnwritten, NoReply, noDatabase, withoutCommand } from './failures.js'
import { addressOf, type RedisConnectionOptions } from './options.js'
import { OutageLog } from './outage-log.js'
import { LastReply, respondsToPing } from './ping.js'

// When a call times out on a connection that sent nothing for this long (ms), the connection is dropped. This is well
// below the 2 s of a first attempt, part of which is connecting: the second attempt must find another connection.
const maxSilence = 1500

/** How long an unusable connection is kept before another is tried, in milliseconds. */
const refusalPause = 2000

export interface ConnectOptions {
  /**
   * Checks the server before a new connection is used. If it throws, the connection isn't used, and all waiting calls
   * are rejected with that error. What it returns becomes the `identity` of the connection.
   */
  readonly check?: (client: Client, address: string) => Promise<string | undefined>
  /** How often a continuing outage is logged again, in milliseconds. @default 60000 */
  readonly reminder?: number
}

export class CommandConnection {
  readonly address: string
  /** The unique identity of the present connection, if it was checked and that is known. */
  identity: string | undefined
  readonly #options: RedisConnectionOptions
  readonly #check: ConnectOptions['check']
  readonly #log: OutageLog
  #client: Client | undefined
  #pending = 0
  /** Since when there has been at least one pending call, by `performance.now()`. */
  #pendingSince = 0
  readonly #lastReply = new LastReply()
  #checking: Promise<void> | undefined
  /** Whether the connection may be used. */
  #up = false
  #connectedAt: number | undefined
  /** Counts connections made and lost, so that a check started on one connection isn't applied to another. */
  #generation = 0
  /** Why there is no connection, and why the present one can't be used. */
  #failure: Error | undefined
  #refusal: Error | undefined
  #closed = false
  readonly #reconnected = new Set<() => void>()
  /** Calls that wait for a usable connection. */
  readonly #waiting = new Set<(error?: Error) => void>()
  #wasUp = false

  /** @param purpose What the connection is used for, as shown in the log. */
  constructor(options: RedisConnectionOptions, purpose: string, { check, reminder = 60_000 }: ConnectOptions = {}) {
    this.#options = options
    this.#check = check
    this.address = addressOf(options)
    this.#log = new OutageLog(this.address, purpose, reminder)
    loadClient()
  }

  get isCluster(): boolean {
    return this.#options.nodes !== undefined
  }

  /** Whether it can receive published messages and run commands at the same time. */
  get canSubscribe(): boolean {
    return !this.isCluster && speaksResp3(this.#client)
  }

  /** Runs a script. Its reply contains strings, or Buffers with `binary`. */
  run(
    script: Script,
    keys: readonly string[],
    args: readonly Argument[],
    { binary = false, ...options }: CallOptions & { binary?: boolean } = {},
  ): Promise<unknown> {
    return this.call((client) => evaluate(client, script, keys, args, binary), options)
  }

  /**
   * Makes a call on the client.
   *
   * @throws {ConnectionFailed} when there is no reply and the call may be repeated; {NoReply}, a subclass, when the
   * command may have been executed all the same. {BrokerError} when Redis refused.
   */
  async call<T>(
    command: (client: Client) => Promise<T>,
    { timeout = defaultTimeout, retried = false }: CallOptions = {},
  ): Promise<T> {
    const startedAt = performance.now()
    let client = this.#usable(timeout, retried)
    if (!client) {
      client = await this.#ready(timeout)
      timeout = Math.max(1, Math.ceil(timeout - (performance.now() - startedAt)))
    }
    if (this.#pending++ === 0) this.#pendingSince = performance.now()
    let timer: NodeJS.Timeout | undefined
    let open = true
    try {
      const deadline = new Promise<never>((_, reject) => {
        const onTimeout = (): void => {
          const since = Math.max(this.#lastReply.at, this.#pendingSince)
          if (open && performance.now() - since >= maxSilence) this.reset()
          reject(new NoReply(`Redis at ${this.address} did not reply within ${timeout} ms.`))
        }
        // If the event loop was blocked that long, the reply may have arrived: it is read before this callback runs.
        timer = startTimer(() => setImmediate(onTimeout), timeout)
      })
      const answer = await Promise.race([command(client), deadline])
      this.#lastReply.note()
      return answer
    } catch (error) {
      throw this.#explain(error as Error)
    } finally {
      open = false
      clearTimeout(timer)
      if (--this.#pending === 0 && this.isCluster) unrefSubscriber(client)
    }
  }

  /**
   * Calls a listener whenever a lost connection was replaced.
   * @returns A function that removes the listener.
   */
  onReconnect(listener: () => void): () => void {
    this.#reconnected.add(listener)
    return () => void this.#reconnected.delete(listener)
  }

  /** Drops the connection and makes a new one. */
  reset(): void {
    this.#up = false
    if (this.#client) dropConnection(this.#client)
  }

  close(): void {
    this.#closed = true
    this.#client?.disconnect()
    this.#client = undefined
    this.#settleWaiting(this.#closedError())
  }

  // — Connecting —————————————————————————————————————————————————————————————————————————————————————————

  /** Returns the client if it can be used immediately. A connection that was idle for long is checked. */
  #usable(timeout: number, retried: boolean): Client | undefined {
    const client = this.#client
    if (!this.#up || client?.status !== 'ready') return undefined
    if (this.#pending === 0 && this.#lastReply.isOld) this.#checking ??= this.#checkIdle(client, timeout)
    return this.#checking && !retried ? undefined : client
  }

  async #checkIdle(client: Client, timeout: number): Promise<void> {
    const generation = this.#generation
    const good = await respondsToPing(client, timeout)
    if (generation !== this.#generation) return
    this.#checking = undefined
    if (good) this.#lastReply.note()
    else this.reset()
  }

  async #ready(timeout: number): Promise<Client> {
    if (this.#checking) {
      const since = performance.now()
      await this.#checking
      timeout = Math.ceil(timeout - (performance.now() - since))
    }
    if (this.#closed) throw this.#closedError()
    if (this.#refusal) throw this.#refusal
    this.#client ??= this.#make()
    const client = this.#client
    if (client.status === 'wait' || client.status === 'end') client.connect().catch(() => {})
    if (this.#up && client.status === 'ready') return client
    return new Promise((resolve, reject) => {
      const settle = (error?: Error): void => {
        clearTimeout(timer)
        this.#waiting.delete(settle)
        if (error) reject(error)
        else resolve(client)
      }
      // This timer also keeps the process alive in the meantime.
      const timer = startTimer(() => settle(this.#unreachable(client, timeout)), timeout)
      this.#waiting.add(settle)
    })
  }

  #make(): Client {
    const client = makeClient(this.#options, { isOver: () => this.#closed, isUrgent: () => this.#waiting.size > 0 })
    client.on('error', (error) => this.#failed(client, error))
    client.on('connect', () => {
      this.#connectedAt = performance.now()
    })
    client.on('close', () => this.#lost())
    client.on('ready', () => void this.#onReady(client))
    return client
  }

  /** Checks a new connection, then marks it usable or refuses it. */
  async #onReady(client: Client): Promise<void> {
    const generation = ++this.#generation
    if (this.#refusal) return
    try {
      const identity = await this.#check?.(client, this.address)
      if (generation === this.#generation && !this.#refusal) this.#markUsable(identity)
    } catch (error) {
      if (generation === this.#generation) this.#refuse(error as Error)
    }
  }

  #markUsable(identity: string | undefined): void {
    this.identity = identity
    this.#log.reachable()
    this.#up = true
    this.#lastReply.note()
    this.#failure = undefined
    this.#settleWaiting()
    if (this.#wasUp) for (const listener of this.#reconnected) listener()
    this.#wasUp = true
  }

  #failed(client: Client, raw: Error): void {
    const isDatabase = (raw as { command?: { name?: string } }).command?.name === 'select'
    const error = withoutCommand(raw)
    if (isDatabase) {
      // ioredis would continue in database 0.
      return this.#refuse(noDatabase(error, (client.options as { db?: number }).db, this.address))
    }
    if (!isUnwritten(error)) this.#failure = explainOutage(error, this.address)
    this.#logOutage()
    // The next attempt will fail, too: don't let calls wait for it.
    if (this.#failure instanceof BrokerUnusable) this.#settleWaiting(this.#failure)
  }

  #lost(): void {
    this.#generation++
    this.#checking = undefined
    this.identity = undefined
    this.#up = false
    this.#refusal = undefined
    this.#connectedAt = undefined
    this.#logOutage()
  }

  /** Marks the present connection as unusable. After a pause it is replaced by another, which may be usable. */
  #refuse(error: Error): void {
    this.#failure = error
    this.#refusal = error
    const client = this.#client
    startTimer(() => {
      if (this.#refusal === error) client && dropConnection(client)
    }, refusalPause).unref()
    this.#logOutage()
    this.#settleWaiting(error)
  }

  #logOutage(): void {
    if (this.#closed) return
    this.#log.unreachable({ failure: this.#failure, isRefused: this.#refusal !== undefined, wasUp: this.#wasUp })
  }

  #settleWaiting(error?: Error): void {
    for (const settle of this.#waiting) settle(error)
  }

  #closedError(): Error {
    return new ConnectionFailed('The connection to Redis is closed.', causedBy(this.#failure))
  }

  /** The error of a call that found no usable connection in time. */
  #unreachable(client: Client, timeout: number): Error {
    const text = `Redis at ${this.address} could not be reached within ${timeout} ms`
    if (this.#failure) return new ConnectionFailed(`${text} (${this.#failure.message}).`, causedBy(this.#failure))
    const { stream } = client as unknown as { stream?: { connecting: boolean; destroyed: boolean } }
    if (!stream || stream.connecting || stream.destroyed) return new ConnectionFailed(`${text}.`)
    // Silent for so long, it is dropped. The next one may respond.
    if (performance.now() - (this.#connectedAt ?? Number.NEGATIVE_INFINITY) >= maxSilence) this.reset()
    return new ConnectionFailed(`${text} (connected, but no reply: is it Redis, does it require TLS?).`)
  }

  #explain(error: Error): Error {
    const { address, isCluster } = this
    const explained = explain(error, { address, isCluster, failure: this.#failure })
    // A master that became a replica: the next connection finds the new master.
    if (error.name === 'ReplyError' && error.message.includes('READONLY')) this.reset()
    return explained
  }
}
