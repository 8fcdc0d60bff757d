/**
 * Sends heartbeats to Redis as long as this worker consumes or holds messages, on its own timer that nothing else
 * delays. Also decides whether other workers can be declared dead.
 *
 * An old heartbeat means that a worker is dead only if the worker could have sent a newer one. After an outage all
 * heartbeats are old, as they are in a Redis that restarted from an old snapshot. The first worker to reconnect must
 * not take what all others hold. So a worker declares others dead only when its own contact has lasted, without a gap,
 * for the longest time that a living worker needs to send its next heartbeat: an attempt to connect that hangs, the
 * pause before the next attempt, and the interval between two heartbeats. An immediate reconnect is no gap, if Redis
 * still has our last heartbeat and the others have enough time to reconnect before theirs is too old; with a short
 * `heartbeatTimeout` they haven't. A new process has had no contact yet and waits, too, but never longer than
 * `heartbeatTimeout`. A process that is restarted after a crash recovers the messages of its predecessor when that one
 * counts as dead, or up to that much later.
 */
import { getLogger } from '../../../lib/logger.js'
import { startInterval } from '../../../lib/time.js'
import type { UnackedDeliveries, WorkerSession } from '../consuming/unacked.js'
import { script } from '../scripts.js'

/** In milliseconds. Python's workers consider one of ours dead after a minute, whatever our own setting is. */
const maxInterval = 15_000
/** How long an attempt to connect may hang, and the pause until the next one (ms): ioredis' and our own defaults. */
const reconnection = { timeout: 10_000, pause: 2000 }

/** A period of contact without a gap, by the clock of Redis (ms). */
interface Contact {
  readonly since: number
  readonly last: number
  /** How long it must last before others can be declared dead. */
  readonly needed: number
}

/** What the heartbeat needs from the maintenance. */
export interface HeartbeatHost {
  /** The active queues. Without any, no heartbeat is sent. */
  readonly queues: () => readonly UnackedDeliveries[]
  /** Called before the first heartbeat on a new connection. */
  readonly onReconnect: () => void
  /** Called after each heartbeat that got a reply. */
  readonly onBeat: () => void
}

export class Heartbeat {
  readonly #session: WorkerSession
  readonly #heartbeatTimeout: number
  readonly #host: HeartbeatHost
  /** The time between two heartbeats, in milliseconds. */
  readonly interval: number
  /** The longest time that a living worker needs to reconnect, in milliseconds. */
  readonly reconnectTime: number
  #contact: Contact | undefined
  /** Since when there has been contact on the present connection, by the clock of Redis (ms). */
  #connectedSince = 0
  #reconnected = false
  #timer: NodeJS.Timeout | undefined
  #beating: Promise<void> | undefined
  /** Removes the listener for new connections. */
  #unsubscribe = (): void => {}

  /** @param connectTimeout How long an attempt to connect may hang, in milliseconds. */
  constructor(
    session: WorkerSession,
    heartbeatTimeout: number,
    host: HeartbeatHost,
    connectTimeout = reconnection.timeout,
  ) {
    this.#session = session
    this.#heartbeatTimeout = heartbeatTimeout
    this.#host = host
    this.interval = Math.max(10, Math.min(heartbeatTimeout / 4, maxInterval))
    this.reconnectTime = connectTimeout + reconnection.pause
  }

  /** Sends the first heartbeat immediately, then one each interval. */
  start(): void {
    if (this.#timer) return
    this.#timer = startInterval(() => this.#begin(), this.interval).unref()
    this.#unsubscribe = this.#session.connection.onReconnect(() => {
      this.#reconnected = true
      this.#host.onReconnect()
      this.#begin()
    })
    this.#begin()
  }

  /** Stops. Resolves when the heartbeat in progress has ended. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#unsubscribe()
    await this.#beating
  }

  /** Whether a worker with an old heartbeat is dead, rather than unable to send one. */
  get canDetectSilent(): boolean {
    if (this.#reconnected) return false
    return this.#contact !== undefined && this.#contact.last - this.#contact.since >= this.#contact.needed
  }

  /**
   * Whether a worker without a connection is dead, rather than reconnecting. What broke our own connection may have
   * broken all others, and they may reconnect later than we do.
   */
  get canDetectDisconnected(): boolean {
    if (this.#reconnected || this.#contact === undefined) return false
    return this.#contact.last - this.#connectedSince >= this.reconnectTime
  }

  #begin(): void {
    this.#beating ??= this.#beat()
      .catch((error) => getLogger().debug({ err: error }, 'The heartbeat did not reach Redis; retrying'))
      .finally(() => {
        this.#beating = undefined
      })
  }

  async #beat(): Promise<void> {
    const queues = this.#host.queues()
    if (queues.length === 0) return
    const { connection, keys, worker } = this.#session
    // The identity is known only once there is a connection.
    if (connection.identity === undefined) await connection.call(async () => {})
    const snapshots = queues.map((unacked) => unacked.snapshot)
    const acks = queues.map((unacked) => unacked.acks)
    const names = [keys.heartbeats, keys.connection(worker), ...acks]
    const args = [worker, connection.identity ?? '', Math.ceil(2 * this.#heartbeatTimeout)]
    const answer = (await connection.run(script('heartbeat'), names, args)) as number[]
    const [known, now, ...sizes] = answer as [number, number, ...number[]]
    if (known === 0 && queues.some(({ deliveries }) => deliveries.size > 0)) this.#warn()
    this.#keepContact(known, now)
    queues.forEach((unacked, index) => {
      unacked.compare(snapshots[index], sizes[index] as number)
    })
    this.#host.onBeat()
  }

  /**
   * Extends the contact, or starts a new one after a gap that others may have had, too: two intervals without a reply,
   * or a Redis with another clock or other data than before.
   */
  #keepContact(known: number, now: number): void {
    const { since, last, needed } = this.#contact ?? { since: 0, last: 0, needed: 0 }
    const same = last > 0 && known >= last && now >= last && now - last <= 2 * this.interval
    const unbroken = same && !(this.#reconnected && this.#isShortTimeout)
    if (!same || this.#reconnected) this.#connectedSince = now
    this.#contact = unbroken ? { since, last: now, needed } : { since: now, last: now, needed: this.#contactNeeded() }
    this.#reconnected = false
  }

  /** Whether after a gap of two intervals the next heartbeat of others, due one interval earlier, may be too late. */
  get #isShortTimeout(): boolean {
    return this.#heartbeatTimeout - 3 * this.interval < this.reconnectTime
  }

  #contactNeeded(): number {
    const longest = this.reconnectTime + this.interval
    const needed = Math.min(this.#heartbeatTimeout, longest)
    // Whether the timeout is short or long, the others may still be waiting for their next attempt.
    return this.#reconnected ? Math.max(needed, reconnection.pause + this.interval) : needed
  }

  #warn(): void {
    const { worker } = this.#session
    getLogger().warn(
      { worker },
      `Redis no longer knows this worker: it sent no heartbeat for over ${this.#heartbeatTimeout} ms ` +
        '(heartbeatTimeout), or Redis lost its data; other workers may have taken its messages',
    )
  }
}
