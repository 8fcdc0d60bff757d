/**
 * When a thread is ready. An imported module may not have reached `runWorker()` yet: `main()` that isn't awaited, a
 * CommonJS script. If a module leads to `runWorker()`, its thread is ready once it called that, as on the main thread;
 * or when it never will, because nothing is left to run in it.
 */
import type { MessagePort } from 'node:worker_threads'
import { startTimer } from '../../time.js'
import type { ReadyReason } from './protocol.js'

export class Readiness {
  readonly #port: MessagePort
  /** How many calls to the main thread have no reply yet. */
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

  /** A call to the main thread began, or its reply arrived. */
  countOpenCalls(change: 1 | -1): void {
    this.#open += change
    if (this.#waiting) this.#keepAlive()
  }

  /**
   * Loads a module. One that awaits `runWorker()` at its top level isn't loaded until the worker stops: then the call
   * counts.
   */
  async load(loadModule: () => Promise<unknown>, onLateError: (error: unknown) => void): Promise<void> {
    this.#served = false
    const loading = loadModule()
    await Promise.race([loading, this.#runWorkerCalled()])
    loading.catch(onLateError)
  }

  /** Waits until the last imported module calls `runWorker()`, if it hasn't; at most `timeout` milliseconds. */
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
    // Node emits this each time nothing is left but the port, which is unref'ed here.
    const onBeforeExit = (): void => {
      this.#port.ref()
      isIdle()
    }
    process.on('beforeExit', onBeforeExit)
    const timer = startTimer(isLate, timeout).unref()
    try {
      return await Promise.race([this.#runWorkerCalled().then((): ReadyReason => 'served'), idle, late])
    } finally {
      clearTimeout(timer)
      process.off('beforeExit', onBeforeExit)
      this.#waiting = false
      this.#port.ref()
    }
  }

  /** The port keeps the thread alive only while a reply is outstanding. */
  #keepAlive(): void {
    if (this.#open > 0) this.#port.ref()
    else this.#port.unref()
  }

  #runWorkerCalled(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#served) return resolve()
      this.#onServed = resolve
    })
  }
}
