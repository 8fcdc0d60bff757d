/**
 * A thread until it is ready, as seen from the main thread: how long the main thread waits, what it logs in the
 * meantime, and whether the thread becomes ready.
 */

import { unpackError } from '../../error-data.js'
import { ModuleLoadError } from '../../errors.js'
import { getLogger } from '../../logger.js'
import { longestTimeout, startInterval } from '../../time.js'
import { loadError } from '../startup/load-hints.js'
import type { FromThread, ReadyReason } from './protocol.js'

/**
 * The minimum time for a thread to call `runWorker()` while no thread has, in milliseconds. A script that calls it on
 * the main thread only, and keeps something open in the others, never does.
 */
const minServeTimeout = 30_000

/**
 * A thread gets this many times as long as the main thread took to reach `runWorker()`, since several start at once.
 */
const slowdownFactor = 3
/** The maximum of that, in milliseconds. */
const maxServeTimeout = 600_000

let mainThreadStartTime = 0

/** The main thread reached `runWorker()` this many milliseconds after its start. */
export function noteMainThreadStart(milliseconds: number): void {
  mainThreadStartTime = milliseconds
}

/** Whether some thread of this process called `runWorker()`: then each of them will. */
let anyThreadServed = false

/** How many milliseconds a thread that starts now waits for its script to call `runWorker()`. */
export function serveTimeout(): number {
  return anyThreadServed
    ? longestTimeout
    : Math.max(minServeTimeout, Math.min(slowdownFactor * mainThreadStartTime, maxServeTimeout))
}

/** How often it is logged that a thread isn't ready yet, in milliseconds. */
const slowInterval = 10_000

/** Failures of scripts whose modules had been loaded: what they need (a database) may be available later. */
const transientFailures = new WeakSet<Error>()

/** Whether another attempt to start the thread may succeed. */
export function isTransient(error: unknown): boolean {
  return error instanceof Error && transientFailures.has(error)
}

export class ThreadLoading {
  /** Resolves once actors can run on the thread; rejects with a `ModuleLoadError`. */
  readonly done: Promise<void>
  readonly #timer: NodeJS.Timeout
  #resolve: () => void = () => {}
  #reject: (error: Error) => void = () => {}
  /** Whether its modules are loaded. */
  #loaded = false

  constructor(
    private readonly threadId: number,
    private readonly modules: readonly string[],
  ) {
    this.#timer = startInterval(() => this.#warnSlow(), slowInterval).unref()
    this.done = new Promise<void>((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    }).finally(() => clearInterval(this.#timer))
  }

  /**
   * Handles a message of a thread that isn't ready. Returns whether it is ready now; `undefined` for other messages.
   */
  onMessage(message: FromThread): boolean | undefined {
    switch (message.type) {
      case 'loaded':
        this.#loaded = true
        return false
      case 'ready':
        this.#onReady(message.reason)
        return true
      case 'failed': {
        const cause = unpackError(message.error)
        // Without a module it was a plugin that failed; its error says so.
        this.#reject(message.module === undefined ? cause : loadError(message.module, cause))
        return false
      }
      case 'crashed':
        this.fail(unpackError(message.error))
        return false
    }
    return undefined
  }

  /** The thread will not become ready. */
  fail(cause: Error): void {
    const error = new ModuleLoadError('of the worker', { cause })
    if (this.#loaded) transientFailures.add(error)
    this.#reject(error)
  }

  #onReady(reason: ReadyReason): void {
    if (reason === 'served') anyThreadServed = true
    if (reason === 'late') {
      const text =
        "A worker thread runs actors now although its script didn't call runWorker() there: is the call made on the main thread only? Name the modules that declare the actors: runWorker({ modules: ['./actors.js'] })"
      getLogger().warn({ threadId: this.threadId, modules: this.modules }, text)
    }
    this.#resolve()
  }

  #warnSlow(): void {
    const text = this.#loaded
      ? "A worker thread has loaded its script and waits for it to call runWorker() there, as on the main thread; is something before that call slow? If threads should import only the modules that declare the actors, name these: runWorker({ modules: ['./actors.js'] })"
      : 'A worker thread is still loading its modules; does one of them wait for something at its top level?'
    getLogger().warn({ threadId: this.threadId, modules: this.modules }, text)
  }
}
