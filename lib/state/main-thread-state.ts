/** The state of the worker's broker, for a thread that can't reach it: each call goes through the main thread. */
import { BrokerClosed, BrokerError } from '../errors.js'
import { type MainThread, mainThread } from '../main-thread.js'
import { startTimer } from '../time.js'
import type { StateBackend, StatePage, StatePageOptions } from './backend.js'
import type { Refusal, StateChange } from './changes.js'

/** The name of the service on the main thread. */
export const stateService = 'state'

/** How long a watch waits on the main thread for a change before it asks again, in milliseconds. */
const watchInterval = 20_000

/** How long the main thread goes on watching a key that no thread waits for at the moment, in milliseconds. */
const idleInterval = 5000

export class MainThreadState implements StateBackend {
  readonly #listeners = new Set<() => void>()
  #closed = false

  read(keys: readonly string[]): Promise<readonly (string | undefined)[]> {
    return this.#call('read', [keys])
  }

  readSet(key: string, among?: readonly string[]): Promise<readonly string[]> {
    return this.#call('readSet', [key, among])
  }

  size(key: string): Promise<number> {
    return this.#call('size', [key])
  }

  apply(changes: readonly StateChange[], options?: { timeout?: number | undefined }): Promise<Refusal | undefined> {
    return this.#call('apply', [changes, options])
  }

  list(prefix: string, options?: StatePageOptions): Promise<StatePage> {
    return this.#call('list', [prefix, options])
  }

  watch(key: string, listener: () => void): () => void {
    let ended = false
    const follow = async (): Promise<void> => {
      let seen = -1
      while (!ended && !this.#closed) {
        const version = await call<number>('nextChange', [key, seen]).catch(() => undefined)
        // The worker stops.
        if (version === undefined) return
        if (!ended && version !== seen) listener()
        seen = version
      }
    }
    const own = (): void => listener()
    this.#listeners.add(own)
    void follow()
    return () => {
      ended = true
      this.#listeners.delete(own)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const listener of this.#listeners) listener()
    this.#listeners.clear()
  }

  async #call<T>(method: string, args: readonly unknown[]): Promise<T> {
    if (this.#closed) throw new BrokerClosed()
    return call(method, args)
  }
}

function call<T>(method: string, args: readonly unknown[]): Promise<T> {
  const main: MainThread | undefined = mainThread()
  if (!main) throw new BrokerError('The state of the main thread can only be read in one of its worker threads.')
  return main.call(stateService, method, args) as Promise<T>
}

/** Serves the calls of threads on the main thread. */
export class StateService {
  readonly #state: () => StateBackend
  readonly #watched = new Map<string, WatchedKey>()

  /** @param state The state, which is created on first use. */
  constructor(state: () => StateBackend) {
    this.#state = state
  }

  async serve(method: string, args: readonly unknown[]): Promise<unknown> {
    const state = this.#state()
    if (method === 'nextChange') return this.#nextChange(state, args[0] as string, args[1] as number)
    const methods = state as unknown as Record<string, (...args: readonly unknown[]) => Promise<unknown>>
    return (methods[method] as (...args: readonly unknown[]) => Promise<unknown>).apply(state, [...args])
  }

  /** The version of a key once it isn't `seen`; its changes are counted between calls, so that none is missed. */
  #nextChange(state: StateBackend, key: string, seen: number): Promise<number> {
    const watched = this.#watched.get(key) ?? new WatchedKey(state, key, () => this.#watched.delete(key))
    this.#watched.set(key, watched)
    return watched.next(seen)
  }
}

/** A key that threads watch. */
class WatchedKey {
  #version = 0
  readonly #waiting = new Set<() => void>()
  readonly #stop: () => void
  readonly #onIdle: () => void
  #idle: NodeJS.Timeout | undefined

  constructor(state: StateBackend, key: string, onIdle: () => void) {
    this.#onIdle = onIdle
    this.#stop = state.watch(key, () => {
      this.#version++
      for (const wake of this.#waiting) wake()
    })
  }

  async next(seen: number): Promise<number> {
    clearTimeout(this.#idle)
    if (this.#version === 0 || this.#version === seen) await this.#change()
    if (this.#waiting.size === 0) {
      clearTimeout(this.#idle)
      this.#idle = startTimer(() => this.#end(), idleInterval).unref()
    }
    return this.#version
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(wake)
        resolve()
      }
      const timer = startTimer(wake, watchInterval).unref()
      this.#waiting.add(wake)
    })
  }

  #end(): void {
    this.#stop()
    this.#onIdle()
  }
}
