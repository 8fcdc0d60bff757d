/**
 * Finds lost workers. A worker that sent no heartbeat for `heartbeatTimeout` is lost, for whatever reason. A silent
 * worker whose connection Redis no longer has is lost sooner: when a process dies, the system closes its connections,
 * while a process that is suspended, or whose event loop is blocked, keeps them. So a killed worker is detected in half
 * the time, and a paused one still has all of it.
 *
 * A worker that is reconnecting has no connection either, for as long as an attempt to connect may hang and the pause
 * before the next one. So its heartbeat must also be older than that, and two checks must find the same.
 *
 * Connection ids are valid for one run of one server. After a failover or a restart, on a cluster, behind a proxy that
 * hides them, or where CLIENT LIST isn't allowed, heartbeats alone decide.
 */
import { BrokerError, ConnectionFailed } from '../../../lib/errors.js'
import { getLogger } from '../../../lib/logger.js'
import type { WorkerSession } from '../consuming/unacked.js'
import { script } from '../scripts.js'
import type { Heartbeat } from './heartbeat.js'

/** How late a heartbeat must be before the worker's connection is checked, in milliseconds. */
const minLateness = 2000
/** The time between the first and the second check, in milliseconds. */
const confirmation = 2000

export interface Lost {
  readonly worker: string
  /** Its last heartbeat, by the clock of Redis (ms). */
  readonly beat: number
  /** How long it must have been silent to be lost (ms). The script that recovers its messages checks this again. */
  readonly silence: number
}

export interface LostWorkersReport {
  readonly lost: readonly Lost[]
  /** All workers with an old heartbeat, if they were queried. */
  readonly silent: ReadonlySet<string> | undefined
  /** In how many milliseconds another check is due, before the next heartbeat. */
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
  /** How long a worker without a connection must have been silent to be lost (ms). */
  readonly #silence: number
  /** Workers that were seen without a connection: their heartbeat, and when they were seen. */
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
      // The connections of workers that died longer ago are no longer known.
      else if (checksConnections && age < 2 * this.#heartbeatTimeout) suspects.push({ worker, beat, age })
    }
    const gone = suspects.length > 0 ? await this.#withoutConnection(suspects) : []
    const recheckIn = this.#confirm(gone, lost)
    return { lost, silent, recheckIn }
  }

  /** Whether this worker can still be declared lost: our own connection may have been replaced in the meantime. */
  isStillLost({ silence }: Lost): boolean {
    return silence === this.#heartbeatTimeout ? this.#heartbeat.canDetectSilent : this.#heartbeat.canDetectDisconnected
  }

  /** Whether connections are checked, which is pointless where it would take longer than the timeout. */
  get #checksConnections(): boolean {
    if (!this.#canListClients || this.#silence >= this.#heartbeatTimeout) return false
    return this.#session.connection.identity !== undefined && this.#heartbeat.canDetectDisconnected
  }

  /** Adds the confirmed ones to the lost workers. @returns In how many milliseconds the next one can be confirmed. */
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
    // If our own connection isn't in the list, the list can't be trusted.
    if (!present.has(own) || connection.identity !== identity) return []
    return suspects.filter((_, index) => {
      const id = ids[index]
      return id !== undefined && !present.has(id)
    })
  }

  /** Returns those of the connections that Redis still has. */
  async #present(ids: readonly string[]): Promise<Set<string>> {
    try {
      const list = await this.#session.connection.call((client) => client.call('CLIENT', ['LIST', 'ID', ...ids]))
      return new Set([...`${list}`.matchAll(/\bid=(\d+) addr=/g)].map(([, id]) => id as string))
    } catch (error) {
      if (error instanceof ConnectionFailed || !(error instanceof BrokerError)) throw error
      this.#canListClients = false
      getLogger().debug(
        { err: error },
        'Redis does not list its connections; lost workers are detected by their heartbeats alone',
      )
      return new Set()
    }
  }
}
