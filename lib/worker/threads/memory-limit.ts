/**
 * Holds threads to a limit of memory. V8's own (`resourceLimits`) can't be relied on: where something allocates quickly,
 * Node may abort the whole process, and Node 24 often does. So where Node can ask a thread for its heap from outside, however busy it
 * is, that is done many times a second, and the thread is ended long before it comes to V8's limit.
 *
 * A heap is full of garbage until V8 has a reason to collect it: what counts is what is left after that.
 */
import { Worker as NodeThread, type ResourceLimits } from 'node:worker_threads'
import { WorkerThreadLost } from '../../errors.js'
import { startInterval } from '../../time.js'
import type { WorkerOptions } from '../worker-options.js'
import type { PoolThread } from './pool-thread.js'

/**
 * By how much V8's limit lies above ours, in megabytes. V8 lets a heap grow to halfway between what is in use and its
 * limit before it collects: a heap that is halfway between the two limits holds more than ours of what is in use.
 */
const headroom = 1024

/** How often the threads are looked at, in milliseconds. */
const interval = 50

/** How soon after it was asked to a thread collects its garbage for us once more, in milliseconds. */
const collectAgain = 2000

/** Since Node 22.16 and 24. */
export const canWatchMemory = 'getHeapStatistics' in NodeThread.prototype

/** The limit that is held to from outside, and the ones that V8 is given. */
export function memoryLimits({ maxMemory, resourceLimits }: WorkerOptions): MemoryLimits {
  if (maxMemory === undefined) return { maxMemory, resourceLimits }
  const maxOldGenerationSizeMb = canWatchMemory ? maxMemory + headroom : maxMemory
  return { maxMemory, resourceLimits: { maxOldGenerationSizeMb, ...resourceLimits } }
}

export interface MemoryLimits {
  readonly maxMemory: number | undefined
  readonly resourceLimits: ResourceLimits | undefined
}

interface MemoryCheck {
  /** Being asked for its heap. */
  pending: boolean
  /** When it may be asked to collect its garbage. */
  collectAt: number
}

export interface MemoryWatchOptions {
  /** In megabytes. */
  readonly limit: number
  readonly threads: () => Iterable<PoolThread>
  readonly onExceeded: (thread: PoolThread, error: WorkerThreadLost) => void
}

export class MemoryWatch {
  readonly #options: MemoryWatchOptions
  readonly #checks = new WeakMap<PoolThread, MemoryCheck>()
  readonly #timer: NodeJS.Timeout

  constructor(options: MemoryWatchOptions) {
    this.#options = options
    this.#timer = startInterval(() => this.#checkAll(), interval).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** A thread collected its garbage, and uses so many megabytes. */
  onCollected(thread: PoolThread, used: number): void {
    if (used > this.#options.limit) this.#exceed(thread, used)
  }

  #checkAll(): void {
    for (const thread of this.#options.threads()) {
      if (thread.runs.size === 0) continue
      const check = this.#checks.get(thread) ?? { pending: false, collectAt: 0 }
      this.#checks.set(thread, check)
      if (!check.pending) void this.#check(thread, check)
    }
  }

  async #check(thread: PoolThread, check: MemoryCheck): Promise<void> {
    const { limit } = this.#options
    check.pending = true
    const used = await thread.usedMemory()
    check.pending = false
    if (used <= limit) return
    if (used > limit + headroom / 2) return this.#exceed(thread, used)
    // It can tell how much of that is garbage, if it isn't busy.
    const now = performance.now()
    if (now < check.collectAt) return
    check.collectAt = now + collectAgain
    thread.collect()
  }

  #exceed(thread: PoolThread, used: number): void {
    const { limit, onExceeded } = this.#options
    const why = `it used ${Math.round(used)} MB of memory, over its limit of ${limit} (maxMemory)`
    onExceeded(thread, new WorkerThreadLost(`The thread that ran the message died: ${why}.`))
  }
}
