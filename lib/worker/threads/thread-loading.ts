/**
 * A thread on its way to being ready, as the main thread sees it: how long it is waited for, what is said meanwhile,
 * and what becomes of it.
 */

import { unpackError } from '../../error-data.js'
import { ModuleLoadError } from '../../errors.js'
import { getLogger } from '../../logger.js'
import { longestTimeout, startInterval } from '../../time.js'
import { loadError } from '../startup/load-hints.js'
import type { FromThread, ReadyReason } from './protocol.js'

/**
 * How long a thread is waited for to call `runWorker()` while none has, in milliseconds, where the main thread was there
 * quickly. A script that calls it on the main thread only, and keeps something open in the others, never does.
 */
const minServeTimeout = 30_000

/** A thread may take so many times as long as the main thread took to get to `runWorker()`: several start at once. */
const slowdownFactor = 3
/** However long that was, no longer than this, in milliseconds. */
const maxServeTimeout = 600_000

let mainThreadStartTime = 0

/** The main thread got to `runWorker()` so many milliseconds after its start. */
export function noteMainThreadStart(milliseconds: number): void {
  mainThreadStartTime = milliseconds
}

/** Whether some thread of this process called `runWorker()`: then each of them will. */
let anyThreadServed = false

/** For how many milliseconds a thread that is started now waits for its script to call `runWorker()`. */
export function serveTimeout(): number {
  return anyThreadServed
    ? longestTimeout
    : Math.max(minServeTimeout, Math.min(slowdownFactor * mainThreadStartTime, maxServeTimeout))
}

/** How often it is said that a thread isn't ready yet, in milliseconds. */
const slowInterval = 10_000

/** Failures of scripts whose modules had been loaded: what they wait for (a database) may be there the next time. */
const transientFailures = new WeakSet<Error>()

/** Whether a thread that could not be started may be, another time. */
export function isTransient(error: unknown): boolean {
  return error instanceof Error && transientFailures.has(error)
}

export class ThreadLoading {
  /** Resolves once actors can run there, rejects with a `ModuleLoadError`. */
  readonly done: Promise<void>
  readonly #timer: NodeJS.Timeout
  #resolve: () => void = () => {}
  #reject: (error: Error) => void = () => {}
  /** Its modules are loaded. */
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

  /** What the thread says while it isn't ready. Returns whether it is now, or `undefined` for what is of another kind. */
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
        // Without a module it is a plugin that failed, and says so itself.
        this.#reject(message.module === undefined ? cause : loadError(message.module, cause))
        return false
      }
      case 'crashed':
        this.fail(unpackError(message.error))
        return false
    }
    return undefined
  }

  /** It won't get ready any more. */
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
      ? "A worker thread has loaded its script and waits for it to call runWorker() there, as on the main thread; is something before that call slow? If threads shall import only the modules that declare the actors, name these: runWorker({ modules: ['./actors.js'] })"
      : 'A worker thread is still loading its modules; does one of them wait for something at its top level?'
    getLogger().warn({ threadId: this.threadId, modules: this.modules }, text)
  }
}
