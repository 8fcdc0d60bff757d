/**
 * What a thread is doing, in shared memory: for the main thread to see while the thread is too busy to talk, or when it
 * is no more. Times are `Date.now()`; 0 means none.
 */
import { startInterval } from '../../time.js'

/** How often a thread that runs something notes that its event loop turns, in milliseconds. */
const tickInterval = 50

/** A loop that didn't turn for so long is deaf, in milliseconds. Less than that can be the machine's fault. */
const unresponsiveAfter = 4 * tickInterval

/** Where things stand; the slots come after that. */
const blocker = 0
const blockerSince = 1
const tick = 2
const exit = 3
const slots = 4

/** What `exited` says when the thread was ended by what a message left behind that had ended itself. */
const byEndedTask = -1

export class Activity {
  readonly #numbers: Float64Array

  constructor(readonly buffer: SharedArrayBuffer) {
    this.#numbers = new Float64Array(buffer)
  }

  static for(count: number): Activity {
    return new Activity(new SharedArrayBuffer(8 * (slots + count)))
  }

  // — Written by the thread ——————————————————————————————————————————————————————————————————————————————

  enter(slot: number, now: number): void {
    this.#numbers[slots + slot] = now
    this.#numbers[blockerSince] = now
    this.#numbers[blocker] = slot + 1
  }

  leave(): void {
    this.#numbers[blocker] = 0
  }

  /** The event loop turns; with 0 it has nothing to run and is no longer watched. */
  tick(now: number): void {
    this.#numbers[tick] = now
  }

  /** `process.exit()` was called on account of a task: of that id, or of one that had ended. */
  exitFor(id: number | 'ended'): void {
    this.#numbers[exit] = id === 'ended' ? byEndedTask : id
  }

  // — Read by the main thread ————————————————————————————————————————————————————————————————————————————

  /** Before a task is handed to a slot: it hasn't begun. */
  clear(slot: number): void {
    this.#numbers[slots + slot] = 0
  }

  /** The slot whose function blocks the thread (before its first `await`), if one does. */
  get blockedBy(): number | undefined {
    const slot = this.#numbers[blocker] as number
    return slot === 0 ? undefined : slot - 1
  }

  get blockedSince(): number {
    return this.#numbers[blockerSince] as number
  }

  /** Since when the event loop hasn't turned, while there is something to run; 0 when it is alive. */
  get unresponsiveSince(): number {
    const last = this.#numbers[tick] as number
    return last !== 0 && Date.now() - last > unresponsiveAfter ? last : 0
  }

  /** Who called `process.exit()`, if that can be told. */
  get exitedFor(): number | 'ended' | undefined {
    const id = this.#numbers[exit] as number
    if (id === byEndedTask) return 'ended'
    return id === 0 ? undefined : id
  }

  /** When the task in that slot began, 0 if it didn't. */
  startedAt(slot: number): number {
    return this.#numbers[slots + slot] as number
  }
}

/** Notes now and then that the thread's event loop turns, as long as it has anything to run. */
export class Heartbeat {
  #timer: NodeJS.Timeout | undefined

  constructor(
    private readonly activity: Activity,
    private readonly isBusy: () => boolean,
  ) {}

  /** Something begins. */
  begin(now: number): void {
    if (this.#timer) return
    this.activity.tick(now)
    this.#timer = startInterval(() => this.#beat(), tickInterval).unref()
  }

  #beat(): void {
    if (this.isBusy()) return this.activity.tick(Date.now())
    clearInterval(this.#timer)
    this.#timer = undefined
    this.activity.tick(0)
  }
}
