/** A clock that runs with real time and can be moved ahead. It only knows timers, not what they are for. */
import { Heap } from './heap.js'
import { type Clock, startTimer, systemClock } from './time.js'

/** What the clock needs to know of the code that uses it, to detect when the consequences of a timer have ended. */
export interface ActivitySource {
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
  #offset = 0
  /** The current time while it is being moved; real time doesn't run then. */
  #frozenAt: number | undefined
  readonly #timers = new Heap<Timer>()
  #cancelled = 0
  #timerChanges = 0
  #realTimer: unknown
  #realTimerDue = Number.POSITIVE_INFINITY
  #moves: Promise<void> = Promise.resolve()
  readonly #activity: ActivitySource | undefined

  constructor(activity?: ActivitySource) {
    this.#activity = activity
  }

  now(): number {
    return this.#frozenAt ?? Date.now() + this.#offset
  }

  setTimeout(callback: () => void, delay: number): unknown {
    const timer: Timer = { callback, due: this.now() + Math.max(1, delay), cancelled: false }
    this.#timerChanges++
    this.#timers.push(timer, timer.due)
    if (timer.due < this.#realTimerDue) this.#arm()
    return timer
  }

  clearTimeout(timer: unknown): void {
    const known = timer as Timer | undefined
    if (!known || known.cancelled) return
    known.cancelled = true
    this.#timerChanges++
    if (++this.#cancelled > sweepFrom && this.#cancelled * 2 > this.#timers.size) {
      this.#timers.sweep(({ cancelled }) => !cancelled)
      this.#cancelled = 0
    }
  }

  /** In how many milliseconds the next timer is due; `undefined` if there is none. */
  get untilNext(): number | undefined {
    while (this.#timers.peek()?.cancelled) {
      this.#timers.pop()
      this.#cancelled--
    }
    const due = this.#timers.peekRank()
    return due === Number.POSITIVE_INFINITY ? undefined : Math.max(0, due - this.now())
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
    this.#frozenAt = this.now()
    this.#arm()
    try {
      await this.#settle()
      for (let timer = this.#next(goal); timer; timer = this.#next(goal)) {
        // A timer that was due before and has not fired yet fires now: the clock never goes back.
        this.#frozenAt = Math.max(this.#frozenAt, timer.due)
        timer.callback()
        await this.#settle()
      }
    } finally {
      this.#frozenAt = undefined
      this.#offset = goal - Date.now()
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
    while (quiet < quietTurns || (this.#activity?.busy() && performance.now() - quietSince < quietTime)) {
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
    return this.#timerChanges + (this.#activity?.progress() ?? 0)
  }

  /** Sets the one real timer, for the first virtual one; none while the clock is being moved. */
  #arm(): void {
    systemClock.clearTimeout(this.#realTimer)
    this.#realTimer = undefined
    this.#realTimerDue = this.#frozenAt === undefined ? this.#timers.peekRank() : Number.NEGATIVE_INFINITY
    if (!Number.isFinite(this.#realTimerDue)) return
    this.#realTimer = systemClock.setTimeout(() => this.#fireDue(), Math.max(0, this.#realTimerDue - this.now()))
  }

  #fireDue(): void {
    const now = this.now()
    try {
      for (let timer = this.#next(now); timer; timer = this.#next(now)) timer.callback()
    } finally {
      this.#arm()
    }
  }
}
