/** `runWorker()`: a worker on the default broker, with what a process needs around it: signals, exit codes, logging. */
import { getBroker } from '../default-broker.js'
import { loggable } from '../failure.js'
import { flushLog, getLogger } from '../logger.js'
import { mainThread } from '../main-thread.js'
import { shared } from '../registry.js'
import { messageOf } from '../thrown.js'
import { Deadline, longestTimeout, settlesWithin, startInterval } from '../time.js'
import { grace, stopGrace } from './shutdown.js'
import { listenForStopSignals } from './signals.js'
import { noteMainThreadStart } from './threads/thread-loading.js'
import { Worker } from './worker.js'
import type { WorkerOptions } from './worker-options.js'

/** How long the broker of an idle worker may take to close, in milliseconds. */
const maxCloseTime = 5000

/** One worker of `runWorker()`. */
class ProcessWorker {
  readonly worker: Worker
  /** Resolves with its exit code, once it has stopped. */
  readonly ended: Promise<number>
  #resolve: (exitCode: number) => void = () => {}
  #ending = false
  /** Whether it no longer uses its broker. */
  isStopped = false

  constructor(worker: Worker) {
    this.worker = worker
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  end(timeout: number, exitCode: number): void {
    if (this.#ending) return
    this.#ending = true
    void stop(this, timeout).then(() => this.#resolve(exitCode))
  }
}

/** The workers that `runWorker()` runs in this process, and the exit code so far. */
const processWorkers = shared('workers of the process', () => ({ running: new Set<ProcessWorker>(), exitCode: 0 }))

/**
 * Runs a worker until a signal stops it (SIGTERM, SIGINT, SIGHUP, nodemon's SIGUSR2), then ends the process: with code
 * 0 after a graceful shutdown, with 1 if the worker could not start or continue. A second signal, a second or more
 * after the first, ends it immediately.
 *
 * It can be called more than once, for workers with different options: the process ends with the last of them. If one
 * can't start or continue, the others shut down gracefully. A worker thread imports the same script; there the call
 * serves the thread, and resolves when the thread is stopped.
 *
 * @example
 * import { runWorker } from 'dramatis'
 * import './actors.js'
 * await runWorker({ threads: 2 })
 */
export async function runWorker(options: WorkerOptions = {}): Promise<void> {
  const main = mainThread()
  if (main) return main.serve()
  noteMainThreadStart(performance.now())
  let worker: Worker
  try {
    worker = new Worker(getBroker(), options)
  } catch (error) {
    return fail(error)
  }
  const one = new ProcessWorker(worker)
  processWorkers.running.add(one)
  worker.onFatal = (error) => {
    getLogger().error({ err: error }, `The worker can't go on: ${error.message}`)
    one.end(0, 1)
  }
  listenForStopSignals({
    onStop(signal) {
      getLogger().info(
        { signal },
        'Shutting down; a second signal, a second or more later, ends the process immediately',
      )
      one.end(worker.shutdownTimeout, 0)
    },
    onStopNow: (exitCode) => process.exit(exitCode),
  })
  // All other timers and sockets are unref'ed or the broker's, so something must keep the process alive.
  const keepAlive = startInterval(() => {}, longestTimeout)
  try {
    await worker.start()
  } catch (error) {
    await worker.stop({ timeout: 0 }).catch(() => {})
    return fail(error, one)
  }
  const code = await one.ended
  clearInterval(keepAlive)
  return exitAfterLast(code, one)
}

/**
 * Stops a worker, and closes its broker unless another worker uses it. Resolves when the time for that is over,
 * whatever hangs.
 */
async function stop(one: ProcessWorker, timeout: number): Promise<void> {
  const { worker } = one
  const deadline = new Deadline(timeout + stopGrace)
  const steps = async (): Promise<void> => {
    await worker.stop({ timeout })
    one.isStopped = true
    for (const other of processWorkers.running) if (!other.isStopped && other.worker.broker === worker.broker) return
    // With plenty of time left, an idle broker still gets no more than this.
    await worker.broker.close({ timeout: Math.min(maxCloseTime, Math.max(grace.least, deadline.left - grace.least)) })
  }
  try {
    if (await settlesWithin(timeout + stopGrace, steps())) return
    getLogger().warn({}, 'The worker could not stop in time; the process ends anyway')
  } catch (error) {
    getLogger().warn({ err: error }, 'The broker did not close cleanly')
  }
}

function fail(error: unknown, one?: ProcessWorker): Promise<never> {
  getLogger().error({ err: loggable(error) }, `The worker could not start: ${messageOf(error)}`)
  return exitAfterLast(1, one)
}

/**
 * Ends the process if this was its last worker. If one failed the others stop, so that a supervisor restarts them all.
 */
async function exitAfterLast(exitCode: number, one?: ProcessWorker): Promise<never> {
  if (one) processWorkers.running.delete(one)
  processWorkers.exitCode = Math.max(processWorkers.exitCode, exitCode)
  if (exitCode !== 0) for (const other of processWorkers.running) other.end(other.worker.shutdownTimeout, exitCode)
  if (processWorkers.running.size > 0) return new Promise(() => {})
  await flushLog()
  process.exit(processWorkers.exitCode)
}
