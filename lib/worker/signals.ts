/**
 * The signals that ask a worker process to stop. The first asks for a stop in good order. What follows within a second
 * is the same wish: one Ctrl-C reaches a process twice when its parent passes on what the terminal sent to both (npm
 * within 3 ms, `tsx watch` 5, nodemon 70, concurrently 340), and systemd sends SIGTERM to the whole group. What comes
 * later is somebody who doesn't want to wait.
 */
import { constants } from 'node:os'
import { startInterval } from '../time.js'

/** How long a repetition is the same wish, in milliseconds from the first signal. */
const repeatWindow = 1000

/** How exactly it is known when a later signal came, in milliseconds. */
const resolution = 50

export interface StopSignalHandlers {
  /** The first signal came. */
  onStop(signal: NodeJS.Signals): void
  /** Another one came, later than a second after; the process is to end at once, with this exit code. */
  onStopNow(exitCode: number): void
}

/**
 * Begins to listen for SIGTERM, SIGINT and SIGHUP; and for SIGUSR2, with which nodemon restarts a process, unless
 * somebody has another use for it (`--heapsnapshot-signal`, `--report-on-signal`, the application).
 */
export function listenForStopSignals({ onStop, onStopNow }: StopSignalHandlers): void {
  let firstAt: number | undefined
  // A signal is only heard of when the event loop turns, which an actor may have blocked since it came. That was after
  // the last turn but one at the earliest: timers of a turn are called before its signals.
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
      // nodemon sends SIGUSR2 anew with each file that changes; it waits for the end all the same.
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
 * Whether somebody listens for a signal to do something of its own. The package signal-exit, which many tools bring
 * along, only waits to see whether the process will end; it counts its copies for such as us to tell (version 3 on
 * `process`, version 4 under a symbol).
 */
function isInUse(signal: NodeJS.Signals): boolean {
  const emitters = [
    (process as { __signal_exit_emitter__?: unknown }).__signal_exit_emitter__,
    (globalThis as Record<symbol, unknown>)[Symbol.for('signal-exit emitter')],
  ]
  const watching = emitters.reduce<number>((sum, one) => sum + ((one as { count?: number } | undefined)?.count ?? 0), 0)
  return process.listenerCount(signal) > watching
}
