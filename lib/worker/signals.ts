/**
 * The signals that stop a worker process. The first one requests a graceful shutdown. Repetitions within a second are
 * ignored: one Ctrl-C reaches a process twice if its parent passes on what the terminal sent to both (npm within 3 ms,
 * `tsx watch` 5, nodemon 70, concurrently 340), and systemd sends SIGTERM to the whole group. A later signal ends the
 * process immediately.
 */
import { constants } from 'node:os'
import { startInterval } from '../time.js'

/** How long after the first signal a repetition is ignored, in milliseconds. */
const repeatWindow = 1000

/** How exactly the time of a later signal is known, in milliseconds. */
const resolution = 50

export interface StopSignalHandlers {
  /** The first signal was received. */
  onStop(signal: NodeJS.Signals): void
  /** Another one was received more than a second later: the process must end immediately, with this exit code. */
  onStopNow(exitCode: number): void
}

/**
 * Listens for SIGTERM, SIGINT and SIGHUP; and for SIGUSR2, with which nodemon restarts a process, unless it has another
 * use (`--heapsnapshot-signal`, `--report-on-signal`, the application).
 */
export function listenForStopSignals({ onStop, onStopNow }: StopSignalHandlers): void {
  let firstAt: number | undefined
  // Node reports a signal only when the event loop turns, which an actor may have blocked since. The signal came after
  // the last turn but one at the earliest: timers of a turn run before its signals.
  let turns = { last: 0, lastButOne: 0 }
  const onSignal = (signal: NodeJS.Signals): void => {
    const now = performance.now()
    if (firstAt === undefined) {
      firstAt = now
      turns = { last: now, lastButOne: now }
      startInterval(() => {
        turns = { last: performance.now(), lastButOne: turns.last }
      }, resolution).unref()
      onStop(signal)
    } else if (turns.lastButOne - firstAt >= repeatWindow && signal !== 'SIGUSR2') {
      // nodemon sends SIGUSR2 again for each changed file, and still waits for the process to end.
      onStopNow(128 + constants.signals[signal])
    }
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  process.on('SIGHUP', onSignal)
  // Windows has no such signal.
  if (constants.signals.SIGUSR2 !== undefined && !isInUse('SIGUSR2')) process.on('SIGUSR2', onSignal)
}

/**
 * Whether there is a listener that handles a signal itself. The package signal-exit, which many tools include, only
 * observes whether the process ends; it exposes a count of its listeners (version 3 on `process`, version 4 under a
 * symbol).
 */
function isInUse(signal: NodeJS.Signals): boolean {
  const emitters = [
    (process as { __signal_exit_emitter__?: unknown }).__signal_exit_emitter__,
    (globalThis as Record<symbol, unknown>)[Symbol.for('signal-exit emitter')],
  ]
  const signalExitCopies = emitters.reduce<number>(
    (sum, one) => sum + ((one as { count?: number } | undefined)?.count ?? 0),
    0,
  )
  return process.listenerCount(signal) > signalExitCopies
}
