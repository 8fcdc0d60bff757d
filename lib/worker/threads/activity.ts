/**
 * What a thread is doing, in shared memory, so that the main thread can read it while the thread is busy, or after its
 * end. Times are `Date.now()`; 0 means none.
 */
import { startInterval } from '../../time.js'

/** How often a busy thread records that its event loop turns, in milliseconds. */
const tickInterval = 50

/**
 * An event loop that hasn't turned for this long is unresponsive, in milliseconds. Shorter pauses may be the machine's.
 */
const unresponsiveAfter = 4 * tickInterval

/** The positions of the fields; the slots follow. */
const blocker = 0
const blockerSince = 1
const tick = 2
const exit = 3
const slots = 4

/** The value of `exitedFor` if code left behind by a finished message ended the thread. */
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

  /** The event loop turns. 0 means that nothing runs, and that the thread is not watched. */
  tick(now: number): void {
    this.#numbers[tick] = now
  }

  /** `process.exit()` was called by code of this task, or of one that had ended. */
  exitFor(id: number | 'ended'): void {
    this.#numbers[exit] = id === 'ended' ? byEndedTask : id
  }

  // — Read by the main thread ————————————————————————————————————————————————————————————————————————————

  /** Called before a task is dispatched to a slot: it hasn't started. */
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

  /** Since when the event loop of a busy thread hasn't turned; 0 while it turns. */
  get unresponsiveSince(): number {
    const last = this.#numbers[tick] as number
    return last !== 0 && Date.now() - last > unresponsiveAfter ? last : 0
  }

  /** The task that called `process.exit()`, if known. */
  get exitedFor(): number | 'ended' | undefined {
    const id = this.#numbers[exit] as number
    if (id === byEndedTask) return 'ended'
    return id === 0 ? undefined : id
  }

  /** When the task in that slot started; 0 if it hasn't. */
  startedAt(slot: number): number {
    return this.#numbers[slots + slot] as number
  }
}

/** Records at intervals that the event loop turns, as long as the thread runs something. */
export class Heartbeat {
  #timer: NodeJS.Timeout | undefined

  constructor(
    private readonly activity: Activity,
    private readonly isBusy: () => boolean,
  ) {}

  /** A task starts. */
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
