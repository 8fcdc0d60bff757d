/**
 * The heartbeat: says in Redis that this worker lives, as long as it consumes or holds messages, on a timer of its own
 * that nothing else can stop. And it knows whether others can be believed dead.
 *
 * A worker whose heartbeat is old is dead only if it could have beaten. After an outage every heartbeat is old, and so it is
 * in a Redis that came back with an old snapshot; whoever is back first must not take what all the others hold. So a
 * worker says who is dead only when its own contact has lasted, without a gap, for as long as a living one needs at most
 * to be heard of again: an attempt to connect that hangs, the pause before the next, and the pause between two beats.
 * A connection that is made anew at once is no gap, if Redis still knows our last beat and the others have time enough
 * to be back before theirs is too old; with a short `heartbeatTimeout` they haven't.
 * A process that has just come has no contact behind it and waits as well, but never longer than `heartbeatTimeout`: one
 * that is restarted after a crash recovers what its predecessor held when that one counts as dead, or that much later.
 */
import { getLogger } from '../../../lib/logger.js'
import { startInterval } from '../../../lib/time.js'
import type { UnackedDeliveries, WorkerSession } from '../consuming/unacked.js'
import { script } from '../scripts.js'

/** Python's workers take one of ours for dead after a minute, whatever our own setting is. */
const maxInterval = 15_000
/** How long an attempt to connect may hang, and how long until the next (ms); ioredis' and `command-connection.ts`' own. */
const attempt = { hangs: 10_000, again: 2000 }

/** Contact without a gap, by Redis's clock (ms). */
interface Contact {
  readonly since: number
  readonly last: number
  /** How long it must have lasted before others can be believed dead. */
  readonly needed: number
}

/** What the heartbeat needs of the keeper. */
export interface HeartbeatHost {
  /** The hands there is something to say of; without any there is no beat. */
  readonly queues: () => readonly UnackedDeliveries[]
  /** Called before the first beat on a new connection. */
  readonly onReconnect: () => void
  /** Called after each beat that Redis answered. */
  readonly onBeat: () => void
}

export class Heartbeat {
  readonly #session: WorkerSession
  readonly #heartbeatTimeout: number
  readonly #host: HeartbeatHost
  /** How long one beat is after the other, in milliseconds. */
  readonly interval: number
  /** How long a worker that lives may take to connect anew, and so to be heard of again, in milliseconds. */
  readonly reconnectTime: number
  #contact: Contact | undefined
  /** Since when, by Redis's clock (ms), there has been contact on the present connection. */
  #connectedSince = 0
  #reconnected = false
  #timer: NodeJS.Timeout | undefined
  #beating: Promise<void> | undefined
  /** Hears of new connections no more. */
  #unsubscribe = (): void => {}

  /** @param connectTimeout How long an attempt to connect may hang, in milliseconds. */
  constructor(session: WorkerSession, heartbeatTimeout: number, host: HeartbeatHost, connectTimeout = attempt.hangs) {
    this.#session = session
    this.#heartbeatTimeout = heartbeatTimeout
    this.#host = host
    this.interval = Math.max(10, Math.min(heartbeatTimeout / 4, maxInterval))
    this.reconnectTime = connectTimeout + attempt.again
  }

  /** Begins to beat, at once and from then on. */
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

  /** Ends; resolves when the beat that is under way is through. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#unsubscribe()
    await this.#beating
  }

  /** Whether a worker with an old heartbeat is dead, rather than kept from beating. */
  get canDetectSilent(): boolean {
    if (this.#reconnected) return false
    return this.#contact !== undefined && this.#contact.last - this.#contact.since >= this.#contact.needed
  }

  /**
   * Whether a worker that has no connection is gone, rather than about to connect anew: whatever broke our own connection may
   * have broken all others, and they may be back later than we are.
   */
  get canDetectDisconnected(): boolean {
    if (this.#reconnected || this.#contact === undefined) return false
    return this.#contact.last - this.#connectedSince >= this.reconnectTime
  }

  #begin(): void {
    this.#beating ??= this.#beat()
      .catch((error) => getLogger().debug({ err: error }, 'The heartbeat did not reach Redis; trying again'))
      .finally(() => {
        this.#beating = undefined
      })
  }

  async #beat(): Promise<void> {
    const queues = this.#host.queues()
    if (queues.length === 0) return
    const { connection, keys, worker } = this.#session
    // Only a connection that is there can be named.
    if (connection.identity === undefined) await connection.call(async () => {})
    const marks = queues.map((unacked) => unacked.snapshot)
    const acks = queues.map((unacked) => unacked.acks)
    const names = [keys.heartbeats, keys.connection(worker), ...acks]
    const args = [worker, connection.identity ?? '', Math.ceil(2 * this.#heartbeatTimeout)]
    const answer = (await connection.run(script('heartbeat'), names, args)) as number[]
    const [known, now, ...sizes] = answer as [number, number, ...number[]]
    if (known === 0 && queues.some(({ deliveries }) => deliveries.size > 0)) this.#warn()
    this.#keepContact(known, now)
    queues.forEach((unacked, index) => {
      unacked.compare(marks[index], sizes[index] as number)
    })
    this.#host.onBeat()
  }

  /**
   * A gap is one that others may have had, too: two pauses without an answer, or a Redis whose clock or data is not that
   * of before.
   */
  #keepContact(known: number, now: number): void {
    const { since, last, needed } = this.#contact ?? { since: 0, last: 0, needed: 0 }
    const same = last > 0 && known >= last && now >= last && now - last <= 2 * this.interval
    const unbroken = same && !(this.#reconnected && this.#isShortTimeout)
    if (!same || this.#reconnected) this.#connectedSince = now
    this.#contact = unbroken ? { since, last: now, needed } : { since: now, last: now, needed: this.#contactNeeded() }
    this.#reconnected = false
  }

  /** Whether after a gap of two pauses others may be too late with their next beat, which was due a pause before. */
  get #isShortTimeout(): boolean {
    return this.#heartbeatTimeout - 3 * this.interval < this.reconnectTime
  }

  #contactNeeded(): number {
    const longest = this.reconnectTime + this.interval
    const needed = Math.min(this.#heartbeatTimeout, longest)
    // With a short timeout as with a long one, the others may still be waiting for their next attempt.
    return this.#reconnected ? Math.max(needed, attempt.again + this.interval) : needed
  }

  #warn(): void {
    const { worker } = this.#session
    getLogger().warn(
      { worker },
      `Redis doesn't know this worker any more: it was silent for over ${this.#heartbeatTimeout} ms (heartbeatTimeout), ` +
        'or Redis lost its data; others may have its messages',
    )
  }
}
