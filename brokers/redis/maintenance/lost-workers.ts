/**
 * Which workers are lost. One that was silent for `heartbeatTimeout` is, whatever became of it. One that is silent and whose
 * connection Redis no longer has is lost sooner: when a process dies its system closes its connections, while one that is
 * stopped, or whose event loop is blocked, keeps them. So a killed worker is noticed in half the time, and a paused one still has
 * all of it.
 *
 * A worker that merely reconnects has no connection either, for as long as an attempt to connect may hang and the pause
 * before the next. So its heartbeat must be older than that besides, and two looks must find the same.
 *
 * Ids of connections mean something to one run of one server. After a failover or a restart, on a cluster, behind a
 * proxy that hides them, or where CLIENT LIST isn't allowed, heartbeats alone decide.
 */
import { BrokerError, ConnectionFailed } from '../../../lib/errors.js'
import { getLogger } from '../../../lib/logger.js'
import type { WorkerSession } from '../consuming/unacked.js'
import { script } from '../scripts.js'
import type { Heartbeat } from './heartbeat.js'

/** How late a heartbeat must be before anybody looks at the connection, in milliseconds. */
const minLateness = 2000
/** How long after the first look the second one is, in milliseconds. */
const confirmation = 2000

export interface Lost {
  readonly worker: string
  /** Its last heartbeat, by the clock of Redis (ms). */
  readonly beat: number
  /** For how long it must have been silent to be lost (ms); looked at again in the step that takes what it held. */
  readonly silence: number
}

export interface LostWorkersReport {
  readonly lost: readonly Lost[]
  /** All whose heartbeat is old, if anybody looked. */
  readonly silent: ReadonlySet<string> | undefined
  /** In how many milliseconds another look is due, before the next heartbeat. */
  readonly recheckIn: number | undefined
}

interface Suspect {
  readonly worker: string
  readonly beat: number
  readonly age: number
}

export class LostWorkers {
  readonly #session: WorkerSession
  readonly #heartbeat: Heartbeat
  readonly #heartbeatTimeout: number
  /** For how long a worker without a connection must have been silent. */
  readonly #silence: number
  /** Those that were seen without a connection: by which heartbeat, and when. */
  #seen = new Map<string, { readonly beat: number; readonly at: number }>()
  #canListClients = true

  constructor(session: WorkerSession, heartbeat: Heartbeat, heartbeatTimeout: number) {
    this.#session = session
    this.#heartbeat = heartbeat
    this.#heartbeatTimeout = heartbeatTimeout
    this.#silence = heartbeat.interval + heartbeat.reconnectTime
  }

  async find(): Promise<LostWorkersReport> {
    const { canDetectSilent } = this.#heartbeat
    const checksConnections = this.#checksConnections
    if (!canDetectSilent && !checksConnections) return { lost: [], silent: undefined, recheckIn: undefined }
    const { connection, keys } = this.#session
    const least = checksConnections ? this.#heartbeat.interval + minLateness : this.#heartbeatTimeout
    const answer = (await connection.run(script('silent-workers'), [keys.heartbeats], [least])) as [number, ...string[]]
    const [now, ...pairs] = answer
    const lost: Lost[] = []
    const suspects: Suspect[] = []
    const silent = new Set<string>()
    for (let at = 0; at < pairs.length; at += 2) {
      const [worker, beat] = [pairs[at] as string, Number(pairs[at + 1])]
      const age = now - beat
      silent.add(worker)
      if (canDetectSilent && age >= this.#heartbeatTimeout) lost.push({ worker, beat, silence: this.#heartbeatTimeout })
      // Of those that died longer ago nothing is known any more.
      else if (checksConnections && age < 2 * this.#heartbeatTimeout) suspects.push({ worker, beat, age })
    }
    const gone = suspects.length > 0 ? await this.#withoutConnection(suspects) : []
    const recheckIn = this.#confirm(gone, lost)
    return { lost, silent, recheckIn }
  }

  /** Whether it can still be told that this one is lost: our own connection may have been made anew since. */
  isStillLost({ silence }: Lost): boolean {
    return silence === this.#heartbeatTimeout ? this.#heartbeat.canDetectSilent : this.#heartbeat.canDetectDisconnected
  }

  /** Whether connections are asked for: not where that would come later than the timeout. */
  get #checksConnections(): boolean {
    if (!this.#canListClients || this.#silence >= this.#heartbeatTimeout) return false
    return this.#session.connection.identity !== undefined && this.#heartbeat.canDetectDisconnected
  }

  /** Adds those to the lost of whom that is certain. @returns When the others will be. */
  #confirm(gone: readonly Suspect[], lost: Lost[]): number | undefined {
    const now = performance.now()
    const seen = new Map<string, { readonly beat: number; readonly at: number }>()
    let recheckIn: number | undefined
    for (const { worker, beat, age } of gone) {
      const before = this.#seen.get(worker)
      const first = before?.beat === beat ? before : { beat, at: now }
      seen.set(worker, first)
      const left = Math.max(this.#silence - age, first.at + confirmation - now)
      if (left <= 0) lost.push({ worker, beat, silence: this.#silence })
      else recheckIn = Math.min(recheckIn ?? left, left)
    }
    this.#seen = seen
    return recheckIn
  }

  async #withoutConnection(suspects: readonly Suspect[]): Promise<Suspect[]> {
    const { connection, keys } = this.#session
    const { identity } = connection
    const [server, own] = identity?.split(':') ?? []
    const names = suspects.map(({ worker }) => keys.connection(worker))
    const stored = await connection.call((client) => client.mget(...names))
    const ids = stored.map((one) => (one?.startsWith(`${server}:`) ? one.slice(`${server}:`.length) : undefined))
    const known = ids.filter((id) => id !== undefined)
    if (own === undefined || known.length === 0) return []
    const present = await this.#present([own, ...known])
    // Who doesn't see itself doesn't see the others.
    if (!present.has(own) || connection.identity !== identity) return []
    return suspects.filter((_, index) => {
      const id = ids[index]
      return id !== undefined && !present.has(id)
    })
  }

  /** Which of these connections Redis has. */
  async #present(ids: readonly string[]): Promise<Set<string>> {
    try {
      const list = await this.#session.connection.call((client) => client.call('CLIENT', ['LIST', 'ID', ...ids]))
      return new Set([...`${list}`.matchAll(/\bid=(\d+) addr=/g)].map(([, id]) => id as string))
    } catch (error) {
      if (error instanceof ConnectionFailed || !(error instanceof BrokerError)) throw error
      this.#canListClients = false
      getLogger().debug(
        { err: error },
        'Redis does not say who is connected; lost workers are told by their heartbeats',
      )
      return new Set()
    }
  }
}
