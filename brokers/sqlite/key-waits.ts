/**
 * Waits for values under keys: results, notifications. One query serves all waits when another process has written;
 * writes of this process wake them directly.
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
  #lookUpScheduled = false
  #closed = false

  /**
   * @param lookUp Reads the current values of a JSON list of keys.
   * @param accepts Whether a value is meant for a wait that began at that time.
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

  /** The value under a key as soon as it exists, or `undefined` after `timeout` milliseconds. */
  wait(key: string, timeout: number): Promise<T | undefined> {
    if (this.#closed) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const waiters = this.#waiters.get(key) ?? new Set()
      const settle = (value: T | undefined): void => {
        clearTimeout(timer)
        waiters.delete(waiter)
        if (waiters.size === 0 && this.#waiters.get(key) === waiters) this.#waiters.delete(key)
        if (this.#waiters.size === 0) this.#stopWatching()
        resolve(value)
      }
      const waiter = { since: Date.now(), settle }
      this.#waiters.set(key, waiters.add(waiter))
      // Keeps the process alive, like everything that is awaited.
      const timer = startTimer(() => settle(undefined), timeout)
      this.#stop ??= this.#connection.watcher.watchOthers(() => this.#scheduleLookUp())
      this.#scheduleLookUp()
    })
  }

  /** Call it when this process has stored a value under a key. */
  resolveWaiters(key: string, value: T): void {
    for (const waiter of this.#waiters.get(key) ?? []) if (this.#accepts(value, waiter.since)) waiter.settle(value)
  }

  /** Ends all waits without a value. */
  close(): void {
    this.#closed = true
    for (const waiters of this.#waiters.values()) for (const waiter of waiters) waiter.settle(undefined)
    this.#stopWatching()
  }

  #stopWatching(): void {
    this.#stop?.()
    this.#stop = undefined
  }

  /** Reads once for all waits that began in this turn of the event loop. */
  #scheduleLookUp(): void {
    if (this.#lookUpScheduled) return
    this.#lookUpScheduled = true
    setImmediate(async () => {
      this.#lookUpScheduled = false
      if (this.#waiters.size === 0) return
      const keys = JSON.stringify([...this.#waiters.keys()])
      const found = await this.#connection.read((statements) => this.#lookUp(statements, keys)).catch(() => [])
      for (const { key, value } of found) this.resolveWaiters(key, value)
    })
  }
}
