/** What the log says of a connection: that Redis is away, when it went and once in a while after, and that it is back. */
import { getLogger } from '../../../lib/logger.js'

export interface Outage {
  /** Why there is no connection, where that is known. */
  readonly failure: Error | undefined
  /** Whether there is a connection on which nothing may be done. */
  readonly isRefused: boolean
  /** Whether Redis was reached before. */
  readonly wasUp: boolean
}

export class OutageLog {
  readonly #address: string
  readonly #purpose: string
  readonly #reminder: number
  /** When it was last said that Redis is away. */
  #loggedAt: number | undefined

  /**
   * @param purpose What the connection is for.
   * @param reminder How often it is said again that Redis is away, in milliseconds.
   */
  constructor(address: string, purpose: string, reminder: number) {
    this.#address = address
    this.#purpose = purpose
    this.#reminder = reminder
  }

  unreachable({ failure, isRefused, wasUp }: Outage): void {
    const now = performance.now()
    if (this.#loggedAt !== undefined && now - this.#loggedAt < this.#reminder) return
    const again = this.#loggedAt !== undefined
    this.#loggedAt = now
    const where = `Redis at ${this.#address}`
    const state = isRefused
      ? `${where} can't be used`
      : again
        ? `${where} is still away`
        : wasUp
          ? `The connection to ${where} is lost`
          : `${where} can't be reached`
    const why = failure ? ` (${failure.message})` : ''
    getLogger().warn({ err: failure, ...this.#fields }, `${state}${why}; trying again`)
  }

  reachable(): void {
    if (this.#loggedAt !== undefined) getLogger().info(this.#fields, `Redis at ${this.#address} is reached`)
    this.#loggedAt = undefined
  }

  get #fields(): { purpose: string; address: string } {
    return { purpose: this.#purpose, address: this.#address }
  }
}
