/**
 * Those who wait for something to appear under a key: results, notifications. However many they are, they are served by
 * one query, when another process has written, and directly by what this process writes.
 */
import { startTimer } from '../../lib/time.js'
import type { Connection } from './connection/connection.js'
import type { Statements } from './statements.js'

interface Waiter<T> {
  readonly since: number
  settle(value: T | undefined): void
}

export interface Found<T> {
  readonly key: string
  readonly value: T
}

export class KeyWaits<T> {
  readonly #connection: Connection
  readonly #lookUp: (statements: Statements, keys: string) => readonly Found<T>[]
  readonly #accepts: (value: T, since: number) => boolean
  readonly #waiters = new Map<string, Set<Waiter<T>>>()
  #stop: (() => void) | undefined
  #looking = false
  #closed = false

  /**
   * @param lookUp What is there now, of a JSON list of keys.
   * @param accepts Whether a value is meant for those who have waited since then.
   */
  constructor(
    connection: Connection,
    lookUp: (statements: Statements, keys: string) => readonly Found<T>[],
    accepts: (value: T, since: number) => boolean = () => true,
  ) {
    this.#connection = connection
    this.#lookUp = lookUp
    this.#accepts = accepts
  }

  /** The value under a key as soon as it is there, or `undefined` after `timeout` milliseconds. */
  wait(key: string, timeout: number): Promise<T | undefined> {
    if (this.#closed) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const waiters = this.#waiters.get(key) ?? new Set()
      const settle = (value: T | undefined): void => {
        clearTimeout(timer)
        waiters.delete(waiter)
        if (waiters.size === 0 && this.#waiters.get(key) === waiters) this.#waiters.delete(key)
        if (this.#waiters.size === 0) this.#rest()
        resolve(value)
      }
      const waiter = { since: Date.now(), settle }
      this.#waiters.set(key, waiters.add(waiter))
      // Keeps the process alive, as does everything that somebody awaits.
      const timer = startTimer(() => settle(undefined), timeout)
      this.#stop ??= this.#connection.watcher.watchOthers(() => this.#look())
      this.#look()
    })
  }

  /** To be told what this process has put under a key. */
  arrived(key: string, value: T): void {
    for (const waiter of this.#waiters.get(key) ?? []) if (this.#accepts(value, waiter.since)) waiter.settle(value)
  }

  /** Lets everybody go with nothing. */
  close(): void {
    this.#closed = true
    for (const waiters of this.#waiters.values()) for (const waiter of waiters) waiter.settle(undefined)
    this.#rest()
  }

  #rest(): void {
    this.#stop?.()
    this.#stop = undefined
  }

  /** Looks once for all who came in this turn of the event loop. */
  #look(): void {
    if (this.#looking) return
    this.#looking = true
    setImmediate(async () => {
      this.#looking = false
      if (this.#waiters.size === 0) return
      const keys = JSON.stringify([...this.#waiters.keys()])
      const found = await this.#connection.read((statements) => this.#lookUp(statements, keys)).catch(() => [])
      for (const { key, value } of found) this.arrived(key, value)
    })
  }
}
