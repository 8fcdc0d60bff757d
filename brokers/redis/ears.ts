/**
 * Ears: how a process waits for things that happen in Redis (a result, an event), a thousand of them on one
 * connection. Whoever makes it happen publishes it; a slow look around backs that up, for what Python did.
 */
import { ConnectionFailed } from '../../lib/errors.js'
import type { Client, Link } from './link.js'

/** How often one looks by himself, in milliseconds: when he is told, and when he isn't allowed to listen. */
const pause = { listening: 1000, deaf: 100 }

export class Ears {
  readonly #commands: Link
  readonly #makeLink: () => Link
  #link: Link | undefined
  readonly #heard = new WeakSet<Client>()
  readonly #waiting = new Map<string, Set<() => void>>()

  /** @param makeLink Makes a connection to listen on, where the one for commands can't. */
  constructor(commands: Link, makeLink: () => Link) {
    this.#commands = commands
    this.#makeLink = makeLink
  }

  /**
   * Looks until there is something: at once, when the channel is spoken on, and now and then.
   * @returns What was seen, or `undefined` after `timeout` milliseconds.
   */
  async waitFor<T>(channel: string, look: () => Promise<T | undefined>, timeout: number): Promise<T | undefined> {
    const deadline = performance.now() + timeout
    let tell = (): void => {}
    let told = false
    const hear = (): void => {
      told = true
      tell()
    }
    const listening = await this.#listen(channel, hear)
    try {
      for (;;) {
        told = false
        let failure: unknown
        try {
          const seen = await look()
          if (seen !== undefined) return seen
        } catch (error) {
          if (!(error instanceof ConnectionFailed)) throw error
          failure = error
        }
        const left = Math.ceil(deadline - performance.now())
        if (left <= 0) {
          if (failure) throw failure
          return undefined
        }
        if (told) continue
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, Math.min(left, listening ? pause.listening : pause.deaf))
          tell = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
    } finally {
      this.#forget(channel, hear)
    }
  }

  close(): void {
    this.#link?.close()
  }

  /** Says whether the channel is really listened to. */
  async #listen(channel: string, hear: () => void): Promise<boolean> {
    const others = this.#waiting.get(channel)
    if (others) {
      others.add(hear)
      return true
    }
    this.#waiting.set(channel, new Set([hear]))
    try {
      const link = await this.#chooseLink()
      await link.call(async (client) => {
        if (!this.#heard.has(client)) {
          this.#heard.add(client)
          client.on('message', (name: string) => {
            for (const one of this.#waiting.get(name) ?? []) one()
          })
        }
        await client.subscribe(channel)
      })
      return true
    } catch {
      return false
    }
  }

  #forget(channel: string, hear: () => void): void {
    const all = this.#waiting.get(channel)
    all?.delete(hear)
    if (all?.size !== 0) return
    this.#waiting.delete(channel)
    this.#link?.call((client) => client.unsubscribe(channel)).catch(() => {})
  }

  /** The connection for commands, where it can listen besides; else one of our own. */
  async #chooseLink(): Promise<Link> {
    if (this.#link) return this.#link
    await this.#commands.call(async () => {})
    this.#link ??= this.#commands.hearsAndSpeaks || this.#commands.isCluster ? this.#commands : this.#makeLink()
    return this.#link
  }
}
