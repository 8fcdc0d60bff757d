/**
 * Notices what changes in the file: at once what this process does, and within some 20 ms what others do, by asking
 * SQLite for `PRAGMA data_version`. It asks only while somebody waits.
 */
import { startInterval, startTimer } from '../../../lib/time.js'
import type { Statements } from '../statements.js'

/**
 * How often others' commits are looked for, in milliseconds. While somebody waits this costs some 0.7 % of a core, of which
 * 0.5 % are the timer's alone (`bench/sqlite/idle.ts`); while nobody waits, nothing.
 */
const pollInterval = 20

export class ChangeWatcher {
  readonly #statements: () => Statements | undefined
  readonly #onForeign = new Set<() => void>()
  readonly #onAny = new Set<() => void>()
  readonly #onQueue = new Map<string, Set<() => void>>()
  #timer: NodeJS.Timeout | undefined
  #version: number | undefined

  /** @param statements Those of the open file; nothing while it isn't open. */
  constructor(statements: () => Statements | undefined) {
    this.#statements = statements
  }

  /** Calls back whenever another process or thread has written, until the function it gives back is called. */
  watchOthers(listener: () => void): () => void {
    this.#onForeign.add(listener)
    if (!this.#timer) {
      this.#version = this.#readVersion()
      this.#timer = startInterval(() => this.#poll(), pollInterval).unref()
    }
    return () => {
      this.#onForeign.delete(listener)
      if (this.#onForeign.size > 0) return
      clearInterval(this.#timer)
      this.#timer = undefined
    }
  }

  /** Calls back whenever this process has put a message on a queue. */
  watchQueue(queueName: string, listener: () => void): () => void {
    const listeners = this.#onQueue.get(queueName) ?? new Set()
    this.#onQueue.set(queueName, listeners.add(listener))
    return () => {
      listeners.delete(listener)
    }
  }

  /** Resolves when anybody has written, this process included, or after `pause` milliseconds. */
  anyChange(pause: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        stop()
        this.#onAny.delete(done)
        resolve()
      }
      const timer = startTimer(done, pause)
      const stop = this.watchOthers(done)
      this.#onAny.add(done)
    })
  }

  /** To be told when messages were put on a queue. */
  wake(queueName: string): void {
    for (const listener of this.#onQueue.get(queueName) ?? []) listener()
  }

  /** To be told when messages were put on queues, one doesn't know which. */
  wakeAll(): void {
    for (const queueName of this.#onQueue.keys()) this.wake(queueName)
  }

  /** To be told of every commit of this process. */
  committed(): void {
    for (const listener of this.#onAny) listener()
  }

  close(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#onForeign.clear()
    for (const done of this.#onAny) done()
  }

  #poll(): void {
    const version = this.#readVersion()
    if (version === undefined || version === this.#version) return
    this.#version = version
    for (const listener of this.#onForeign) listener()
  }

  #readVersion(): number | undefined {
    try {
      return (this.#statements()?.dataVersion.get() as { data_version: number } | undefined)?.data_version
    } catch {
      // Busy, or the file is gone; whoever reads next will say so.
      return undefined
    }
  }
}
