/** A clock that runs with real time and can be moved ahead. It only knows timers, not what they are for. */
import { Heap } from './heap.js'
import { type Clock, startTimer, systemClock } from './time.js'

/** What the clock needs to know of the code that uses it, to detect when the consequences of a timer have ended. */
export interface Bystander {
  /** A number that changes whenever something happens. */
  progress(): number
  /** Whether something is being done elsewhere (on a thread, for example) that reports only when it is done. */
  busy(): boolean
}

interface Timer {
  readonly callback: () => void
  readonly due: number
  cancelled: boolean
}

/** After this many turns of the event loop without any change, nothing more will happen. */
const quietTurns = 10

/** How long work elsewhere may take without a change, in real milliseconds, before the clock stops waiting for it. */
const quietTime = 50

/** Cancelled timers are removed when there are more of them than this, and more than live ones. */
const sweepFrom = 64

export class VirtualClock implements Clock {
  /** How far it is ahead of real time. */
  #ahead = 0
  /** The current time while it is being moved; real time doesn't run then. */
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
   * Moves ahead by `duration` milliseconds. Timers fire one by one in the order in which they are due, and `now()`
   * returns exactly the time of each. Before the next timer fires, the clock waits until the consequences of the last
   * one have ended. Calls are queued.
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
        // A timer that was due before and has not fired yet fires now: the clock never goes back.
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

  /** Removes the first live timer that is due by then. */
  #next(by: number): Timer | undefined {
    while (this.#timers.peekRank() <= by) {
      const timer = this.#timers.pop() as Timer
      if (!timer.cancelled) {
        // It can't be cancelled any more from here, and must not be counted if code tries.
        timer.cancelled = true
        return timer
      }
      this.#cancelled--
    }
    return undefined
  }

  /** Waits until nothing changes any more. */
  async #settle(): Promise<void> {
    let seen = this.#progress()
    let quiet = 0
    let quietSince = performance.now()
    while (quiet < quietTurns || (this.#bystander?.busy() && performance.now() - quietSince < quietTime)) {
      // Pauses when the event loop has nothing to run: work elsewhere needs the processor.
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

  /** Sets the one real timer, for the first virtual one; none while the clock is being moved. */
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
