/** Logs when Redis becomes unreachable, repeats that at an interval, and logs when it is reachable again. */
import { getLogger } from '../../../lib/logger.js'

export interface Outage {
  /** Why there is no connection, if known. */
  readonly failure: Error | undefined
  /** Whether there is a connection, but it must not be used. */
  readonly isRefused: boolean
  /** Whether there was a usable connection before. */
  readonly wasUp: boolean
}

export class OutageLog {
  readonly #address: string
  readonly #purpose: string
  readonly #reminder: number
  /** When the outage was last logged. */
  #loggedAt: number | undefined

  /**
   * @param purpose What the connection is used for.
   * @param reminder How often a continuing outage is logged again, in milliseconds.
   */
  constructor(address: string, purpose: string, reminder: number) {
    this.#address = address
    this.#purpose = purpose
    this.#reminder = reminder
  }

  unreachable({ failure, isRefused, wasUp }: Outage): void {
    const now = performance.now()
    if (this.#loggedAt !== undefined && now - this.#loggedAt < this.#reminder) return
    const isReminder = this.#loggedAt !== undefined
    this.#loggedAt = now
    const where = `Redis at ${this.#address}`
    const state = isRefused
      ? `${where} can't be used`
      : isReminder
        ? `${where} is still unreachable`
        : wasUp
          ? `Connection to ${where} lost`
          : `${where} is unreachable`
    const why = failure ? ` (${failure.message})` : ''
    getLogger().warn({ err: failure, ...this.#fields }, `${state}${why}; reconnecting`)
  }

  reachable(): void {
    if (this.#loggedAt !== undefined) getLogger().info(this.#fields, `Connected to Redis at ${this.#address}`)
    this.#loggedAt = undefined
  }

  get #fields(): { purpose: string; address: string } {
    return { purpose: this.#purpose, address: this.#address }
  }
}
