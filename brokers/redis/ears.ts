/**
 * Ears: how a process waits for things that happen in Redis (a result, an event), a thousand of them on one
 * connection. Whoever makes it happen publishes it; a slow look around backs that up, for what Python did.
 */
import { BrokerClosed, ConnectionFailed } from '../../lib/errors.js'
import { startTimer } from '../../lib/time.js'
import type { Client } from './client.js'
import { type Link, patience } from './link.js'

/** How often one looks by himself, in milliseconds: when he is told, and when he isn't (yet, or for want of permission). */
const pause = { listening: 1000, deaf: 100 }
/** An answer is always given that long (ms), be there ever so little left to wait: or else none would come in time. */
const leastPatience = 500

/** Waits for something. */
export interface Wait<T> {
  /** Whose wait it is: it ends with `endFor`. */
  readonly owner: object
  /** Where it is spoken of. */
  readonly channel: string
  /** Looks whether it is there; the answer may take so many milliseconds. */
  readonly look: (patience: number) => Promise<T | undefined>
  readonly timeout: number
}

interface Channel {
  readonly hears: Set<() => void>
  /** Whether it is really listened to. */
  listening: boolean
  subscribing: Promise<void> | undefined
  /** Whether this user may not listen at all. */
  refused: boolean
}

/** How long one answer may take where so much time is left. */
export function share(left: number): number {
  return Math.min(patience, Math.max(leastPatience, left))
}

export class Ears {
  readonly #commands: Link
  readonly #makeLink: () => Link
  #link: Link | undefined
  readonly #heard = new WeakSet<Client>()
  readonly #channels = new Map<string, Channel>()
  readonly #ends = new Map<object, Set<(error: Error) => void>>()

  /** @param makeLink Makes a connection to listen on, where the one for commands can't. */
  constructor(commands: Link, makeLink: () => Link) {
    this.#commands = commands
    this.#makeLink = makeLink
  }

  /**
   * Looks until there is something: at once, when the channel is spoken on, and now and then. While Redis is away the
   * wait goes on.
   * @returns What was seen, or `undefined` after `timeout` milliseconds.
   * @throws {ConnectionFailed} when Redis was away at the end. {BrokerClosed} when the owner was closed.
   */
  async waitFor<T>(wait: Wait<T>): Promise<T | undefined> {
    const { owner } = wait
    const ends = this.#ends.get(owner) ?? new Set()
    this.#ends.set(owner, ends)
    const over = new AbortController()
    let end = (_: Error): void => {}
    const closed = new Promise<never>((_, reject) => {
      end = reject
    })
    ends.add(end)
    try {
      return await Promise.race([this.#hearOrLook(wait, over.signal), closed])
    } finally {
      over.abort()
      ends.delete(end)
      if (ends.size === 0) this.#ends.delete(owner)
    }
  }

  /** Ends all waits of an owner that closes. */
  endFor(owner: object): void {
    for (const end of this.#ends.get(owner) ?? []) end(new BrokerClosed())
  }

  close(): void {
    this.#link?.close()
  }

  async #hearOrLook<T>({ channel, look, timeout }: Wait<T>, over: AbortSignal): Promise<T | undefined> {
    const deadline = performance.now() + timeout
    let wake = (): void => {}
    let told = this.#channels.get(channel)?.listening ?? false
    const hear = (): void => {
      told = true
      wake()
    }
    const state = this.#enter(channel, hear)
    over.addEventListener('abort', hear)
    try {
      for (;;) {
        const left = Math.ceil(deadline - performance.now())
        if (!told) {
          await new Promise<void>((resolve) => {
            const timer = startTimer(resolve, Math.min(left, state.listening ? pause.listening : pause.deaf))
            wake = () => {
              clearTimeout(timer)
              resolve()
            }
          })
        }
        told = false
        if (over.aborted) return undefined
        const outcome = await attempt(look, share(deadline - performance.now()))
        if ('seen' in outcome && outcome.seen !== undefined) return outcome.seen
        if (performance.now() >= deadline) {
          if ('error' in outcome) throw outcome.error
          return undefined
        }
        this.#subscribe(channel, state)
      }
    } finally {
      this.#leave(channel, hear)
    }
  }

  #enter(channel: string, hear: () => void): Channel {
    let state = this.#channels.get(channel)
    if (!state) {
      state = { hears: new Set(), listening: false, subscribing: undefined, refused: false }
      this.#channels.set(channel, state)
    }
    state.hears.add(hear)
    this.#subscribe(channel, state)
    return state
  }

  #leave(channel: string, hear: () => void): void {
    const state = this.#channels.get(channel)
    state?.hears.delete(hear)
    if (state?.hears.size !== 0) return
    this.#channels.delete(channel)
    void (state.subscribing ?? Promise.resolve()).then(() => {
      if (!state.listening || this.#channels.has(channel)) return
      this.#link?.call((client) => client.unsubscribe(channel)).catch(() => {})
    })
  }

  /** Sees to it that the channel is listened to. Those who wait look once more then: it may have been spoken on before. */
  #subscribe(channel: string, state: Channel): void {
    if (state.listening || state.subscribing || state.refused) return
    const subscribe = async (): Promise<void> => {
      const link = await this.#chooseLink()
      await link.call(async (client) => {
        this.#hearOn(client)
        await client.subscribe(channel)
      })
      state.listening = true
      for (const hear of state.hears) hear()
    }
    state.subscribing = subscribe()
      .catch((error) => {
        state.refused = !(error instanceof ConnectionFailed)
      })
      .finally(() => {
        state.subscribing = undefined
      })
  }

  #hearOn(client: Client): void {
    if (this.#heard.has(client)) return
    this.#heard.add(client)
    client.on('message', (channel: string) => {
      for (const hear of this.#channels.get(channel)?.hears ?? []) hear()
    })
  }

  /** The connection for commands, where it can listen besides; else one of our own. */
  async #chooseLink(): Promise<Link> {
    if (this.#link) return this.#link
    await this.#commands.call(async () => {})
    this.#link ??= this.#commands.hearsAndSpeaks || this.#commands.isCluster ? this.#commands : this.#makeLink()
    return this.#link
  }
}

/** What was seen; or that Redis is away, which can be waited out. */
async function attempt<T>(
  look: (patience: number) => Promise<T | undefined>,
  patience: number,
): Promise<{ seen: T | undefined } | { error: ConnectionFailed }> {
  try {
    return { seen: await look(patience) }
  } catch (error) {
    if (error instanceof ConnectionFailed) return { error }
    throw error
  }
}
