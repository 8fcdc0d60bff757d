/**
 * A clock that runs with real time and can be moved ahead. It knows timers, and nothing of what they are for.
 */
import { Heap } from './heap.js'
import { type Clock, startTimer, systemClock } from './time.js'

/** What a clock must know of those who live by it, to tell when the consequences of a timer are over. */
export interface Bystander {
  /** A number that changes whenever something happens. */
  progress(): number
  /** Whether something is under way elsewhere (on a thread, say), of which nothing is heard until it is done. */
  busy(): boolean
}

interface Timer {
  readonly callback: () => void
  readonly due: number
  cancelled: boolean
}

/** After so many turns of the event loop without anything happening, nothing more will. */
const quietTurns = 10

/** How long something that is under way elsewhere may go without a sign, in real milliseconds, before it is left behind. */
const quietTime = 50

/** Cancelled timers are swept out when there are more of them than this, and more than live ones. */
const sweepFrom = 64

export class VirtualClock implements Clock {
  /** How far it is ahead of real time. */
  #ahead = 0
  /** Where it stands while it is being moved; real time doesn't run then. */
  #standing: number | undefined
  readonly #timers = new Heap<Timer>()
  #cancelled = 0
  #happened = 0
  #alarm: unknown
  #alarmAt = Number.POSITIVE_INFINITY
  #moves: Promise<void> = Promise.resolve()
  readonly #bystander: Bystander | undefined

  constructor(bystander?: Bystander) {
    this.#bystander = bystander
  }

  now(): number {
    return this.#standing ?? Date.now() + this.#ahead
  }

  setTimeout(callback: () => void, delay: number): unknown {
    const timer: Timer = { callback, due: this.now() + Math.max(1, delay), cancelled: false }
    this.#happened++
    this.#timers.push(timer, timer.due)
    if (timer.due < this.#alarmAt) this.#arm()
    return timer
  }

  clearTimeout(timer: unknown): void {
    const known = timer as Timer | undefined
    if (!known || known.cancelled) return
    known.cancelled = true
    this.#happened++
    if (++this.#cancelled > sweepFrom && this.#cancelled * 2 > this.#timers.size) {
      this.#timers.sweep(({ cancelled }) => !cancelled)
      this.#cancelled = 0
    }
  }

  /**
   * Moves ahead by `duration` milliseconds. Timers fire one by one in the order in which they are due, each at its own
   * moment: `now()` reads exactly that. Before the next one fires, what the last one set going comes to rest. Calls
   * queue up.
   */
  advance(duration: number): Promise<void> {
    const move = this.#moves.then(() => this.#move(duration))
    this.#moves = move.catch(() => {})
    return move
  }

  async #move(duration: number): Promise<void> {
    const goal = this.now() + duration
    this.#standing = this.now()
    this.#arm()
    try {
      await this.#settle()
      for (let timer = this.#next(goal); timer; timer = this.#next(goal)) {
        // One that was due before, but whose turn has not come yet, fires now: the clock never goes back.
        this.#standing = Math.max(this.#standing, timer.due)
        timer.callback()
        await this.#settle()
      }
    } finally {
      this.#standing = undefined
      this.#ahead = goal - Date.now()
      this.#arm()
    }
  }

  /** Takes out the first live timer that is due by then. */
  #next(by: number): Timer | undefined {
    while (this.#timers.peekRank() <= by) {
      const timer = this.#timers.pop() as Timer
      if (!timer.cancelled) {
        // From here on it can't be cancelled any more, and must not be counted when somebody tries.
        timer.cancelled = true
        return timer
      }
      this.#cancelled--
    }
    return undefined
  }

  /** Waits until nothing happens any more. */
  async #settle(): Promise<void> {
    let seen = this.#progress()
    let quiet = 0
    let quietSince = performance.now()
    while (quiet < quietTurns || (this.#bystander?.busy() && performance.now() - quietSince < quietTime)) {
      // Pauses once the event loop has nothing ready: what is under way elsewhere needs the processor.
      await new Promise<void>((resolve) => (quiet < quietTurns ? setImmediate(resolve) : startTimer(resolve, 1)))
      const progress = this.#progress()
      if (progress === seen) {
        quiet++
        continue
      }
      seen = progress
      quiet = 0
      quietSince = performance.now()
    }
  }

  #progress(): number {
    return this.#happened + (this.#bystander?.progress() ?? 0)
  }

  /** Sets the one real timer, for the first of ours; none while the clock is being moved. */
  #arm(): void {
    systemClock.clearTimeout(this.#alarm)
    this.#alarm = undefined
    this.#alarmAt = this.#standing === undefined ? this.#timers.peekRank() : Number.NEGATIVE_INFINITY
    if (!Number.isFinite(this.#alarmAt)) return
    this.#alarm = systemClock.setTimeout(() => this.#ring(), Math.max(0, this.#alarmAt - this.now()))
  }

  #ring(): void {
    const now = this.now()
    try {
      for (let timer = this.#next(now); timer; timer = this.#next(now)) timer.callback()
    } finally {
      this.#arm()
    }
  }
}
