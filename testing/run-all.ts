/** Runs all messages of a test until none is left: moves the clock from one delay to the next. */
import { Deadline } from '../lib/time.js'
import type { VirtualClock } from '../lib/virtual-clock.js'
import type { Conditions } from './conditions.js'
import type { Left } from './left.js'
import type { WorkerOnDemand } from './worker-on-demand.js'

export interface RunAllOptions {
  readonly clock: VirtualClock
  readonly conditions: Conditions
  /** It must be running. */
  readonly worker: WorkerOnDemand
  /** What is left in its queues. */
  readonly left: () => Left
}

/** How long it waits, in milliseconds, until it looks again at what is in flight. */
const lookAgain = 20

/**
 * @param timeout How long it may take, in milliseconds of real time.
 * @returns Whether nothing is left.
 */
export async function runAll({ clock, conditions, worker, left }: RunAllOptions, timeout: number): Promise<boolean> {
  const deadline = new Deadline(timeout)
  const isIdle = (): true | undefined => left().ready + left().inFlight === 0 || undefined
  while (deadline.left > 0) {
    // Nothing tells when a batch has begun to gather, so it looks again.
    await conditions.until(isIdle, Math.min(deadline.left, lookAgain))
    // An actor may have imported others, whose messages are ready now.
    await worker.start()
    const step = nextStep(left(), worker.gathering, clock)
    if (step === undefined) continue
    // Even by 0: it waits for the hooks that follow a settlement, which may send as well.
    await clock.advance(step)
    if (isIdle() && left().due === undefined) return true
  }
  return false
}

/** By how much the clock may move now: to the next delay, or until a batch has gathered. Not while an actor runs. */
function nextStep({ ready, inFlight, due }: Left, gathering: number, clock: VirtualClock): number | undefined {
  if (ready > 0) return undefined
  if (inFlight === 0) return due ?? 0
  return inFlight === gathering ? clock.untilNext : undefined
}
