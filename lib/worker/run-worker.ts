/**
 * `runWorker()`: a worker on the default broker, with what a process needs around it: signals, exit codes, last words.
 */
import { getBroker } from '../default-broker.js'
import { loggable } from '../failure.js'
import { getLogger } from '../logger.js'
import { mainThread } from '../main-thread.js'
import { messageOf } from '../thrown.js'
import { longestTimeout, startInterval } from '../time.js'
import { listenForStopSignals } from './signals.js'
import { Worker } from './worker.js'
import type { WorkerOptions } from './worker-options.js'

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
    worker.onFatal = (error) => {
      getLogger().error({ err: error }, `The worker can't go on: ${error.message}`)
      void worker.stop({ timeout: 0 }).finally(() => resolve(1))
    }
    listenForStopSignals({
      onStop(signal) {
        getLogger().info({ signal }, 'Asked to stop; a second signal, a second or more later, stops it at once')
        void worker.stop().finally(() => resolve(0))
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
  await worker.broker.close().catch((error) => getLogger().warn({ err: error }, 'The broker did not close cleanly'))
  process.exit(code)
}

function fail(error: unknown): never {
  getLogger().error({ err: loggable(error) }, `The worker could not start: ${messageOf(error)}`)
  process.exit(1)
}
