/**
 * `runWorker()`: a worker on the default broker, with what a process needs around it: signals, exit codes, last words.
 */
import { getBroker } from '../default-broker.js'
import { loggable } from '../failure.js'
import { flushLog, getLogger } from '../logger.js'
import { mainThread } from '../main-thread.js'
import { messageOf } from '../thrown.js'
import { Deadline, longestTimeout, startInterval, startTimer } from '../time.js'
import { grace, graces } from './shutdown.js'
import { listenForStopSignals } from './signals.js'
import { Worker } from './worker.js'
import type { WorkerOptions } from './worker-options.js'

/** How long the broker of an idle worker may take to close, in milliseconds. */
const longestClose = 5000

/**
 * Runs a worker until it is asked to stop (SIGTERM, SIGINT, SIGHUP, nodemon's SIGUSR2), then ends the process: with code
 * 0 after a shutdown in good order, 1 when the worker could not start or go on. A second signal, a second or more after
 * the first, ends it at once. In a thread of the worker's pool, which imports the
 * same script, it serves that thread and resolves when the thread is told to stop.
 *
 * @example
 * import { runWorker } from 'dramatis'
 * import './actors.js'
 * await runWorker({ threads: 2 })
 */
export async function runWorker(options: WorkerOptions = {}): Promise<void> {
  const main = mainThread()
  if (main) return main.serve()
  let worker: Worker
  try {
    worker = new Worker(getBroker(), options)
  } catch (error) {
    return fail(error)
  }
  const ended = new Promise<number>((resolve) => {
    let ending = false
    const end = (timeout: number, exitCode: number): void => {
      if (ending) return
      ending = true
      void stop(worker, timeout, exitCode).then(resolve)
    }
    worker.onFatal = (error) => {
      getLogger().error({ err: error }, `The worker can't go on: ${error.message}`)
      end(0, 1)
    }
    listenForStopSignals({
      onStop(signal) {
        getLogger().info({ signal }, 'Asked to stop; a second signal, a second or more later, stops it at once')
        end(worker.shutdownTimeout, 0)
      },
      onStopNow: (exitCode) => process.exit(exitCode),
    })
  })
  // The timers and sockets that would keep the process alive are all unref'ed or the broker's; a worker is to stay.
  const stay = startInterval(() => {}, longestTimeout)
  try {
    await worker.start()
  } catch (error) {
    await worker.stop({ timeout: 0 }).catch(() => {})
    return fail(error)
  }
  const code = await ended
  clearInterval(stay)
  await flushLog()
  process.exit(code)
}

/** Stops a worker and closes its broker. The process ends when the time for that is over, whatever it hangs on. */
async function stop(worker: Worker, timeout: number, exitCode: number): Promise<number> {
  const deadline = new Deadline(timeout + graces)
  const last = (): void => {
    getLogger().warn({}, 'The worker could not stop in time; the process ends all the same')
    process.exit(exitCode)
  }
  startTimer(last, timeout + graces)
  try {
    await worker.stop({ timeout })
    // Nobody waits for longer than this where the time is plenty.
    await worker.broker.close({ timeout: Math.min(longestClose, Math.max(grace.least, deadline.left - grace.least)) })
  } catch (error) {
    getLogger().warn({ err: error }, 'The broker did not close cleanly')
  }
  return exitCode
}

async function fail(error: unknown): Promise<never> {
  getLogger().error({ err: loggable(error) }, `The worker could not start: ${messageOf(error)}`)
  await flushLog()
  process.exit(1)
}
