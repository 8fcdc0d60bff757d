/**
 * When a thread is ready. A module that was imported may still be at its beginning: `main()` that nobody awaits, a
 * CommonJS script. Where a module leads to `runWorker()`, its thread is ready once it called that, as the main thread
 * has; or when it never will, since there is nothing left that could happen in it.
 */
import type { MessagePort } from 'node:worker_threads'
import { startTimer } from '../../time.js'
import type { ReadyReason } from './protocol.js'

export class Readiness {
  readonly #port: MessagePort
  /** How many questions to the main thread are open: their answers are yet to come. */
  #open = 0
  #waiting = false
  #served = false
  #onServed: () => void = () => {}

  constructor(port: MessagePort) {
    this.#port = port
  }

  /** The script called `runWorker()`. */
  serve(): void {
    this.#served = true
    this.#onServed()
  }

  /** Something was asked of the main thread, or the answer is here. */
  countOpenCalls(by: 1 | -1): void {
    this.#open += by
    if (this.#waiting) this.#keepAlive()
  }

  /** Loads a module. One that awaits `runWorker()` at its top level isn't loaded until the worker stops: its call counts. */
  async load(loadModule: () => Promise<unknown>, onLateError: (error: unknown) => void): Promise<void> {
    this.#served = false
    const loading = loadModule()
    await Promise.race([loading, this.#callOfServe()])
    loading.catch(onLateError)
  }

  /** Waits until what was imported last calls `runWorker()`, unless it has. `patience` is in milliseconds. */
  async waitForRunWorker(timeout: number): Promise<ReadyReason> {
    if (this.#served) return 'served'
    this.#waiting = true
    this.#keepAlive()
    let isIdle = (): void => {}
    let isLate = (): void => {}
    const idle = new Promise<ReadyReason>((resolve) => {
      isIdle = () => resolve('idle')
    })
    const late = new Promise<ReadyReason>((resolve) => {
      isLate = () => resolve('late')
    })
    // Node says so each time when nothing is left but the port, which doesn't count now.
    const onBeforeExit = (): void => {
      this.#port.ref()
      isIdle()
    }
    process.on('beforeExit', onBeforeExit)
    const timer = startTimer(isLate, timeout).unref()
    try {
      return await Promise.race([this.#callOfServe().then((): ReadyReason => 'served'), idle, late])
    } finally {
      clearTimeout(timer)
      process.off('beforeExit', onBeforeExit)
      this.#waiting = false
      this.#port.ref()
    }
  }

  /** The thread lives on for what keeps any process alive, and for an answer that is to come. */
  #keepAlive(): void {
    if (this.#open > 0) this.#port.ref()
    else this.#port.unref()
  }

  #callOfServe(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#served) return resolve()
      this.#onServed = resolve
    })
  }
}
