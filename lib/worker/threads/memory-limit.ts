/**
 * Enforces the memory limit of threads. V8's own limit (`resourceLimits`) is not reliable: if memory is allocated
 * quickly, Node may abort the whole process, and Node 24 often does. So where Node can read a thread's heap from
 * outside, however busy the thread is, this is done many times a second, and the thread is terminated long before it
 * reaches V8's limit.
 *
 * A heap contains garbage until V8 has a reason to collect it. What counts is the memory that remains after a
 * collection.
 */
import { Worker as NodeThread, type ResourceLimits } from 'node:worker_threads'
import { WorkerThreadLost } from '../../errors.js'
import { startInterval } from '../../time.js'
import type { WorkerOptions } from '../worker-options.js'
import type { PoolThread } from './pool-thread.js'

/**
 * How far V8's limit is above ours, in megabytes. V8 lets a heap grow to halfway between the memory in use and its
 * limit before it collects: a heap that is halfway between the two limits has more than our limit in use.
 */
const headroom = 1024

/** How often the threads are checked, in milliseconds. */
const interval = 50

/** The minimum time between two requested collections of a thread, in milliseconds. */
const collectInterval = 2000

/** Available since Node 22.16 and 24. */
export const canWatchMemory = 'getHeapStatistics' in NodeThread.prototype

/** The limit that is enforced from outside, and the limits that V8 gets. */
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
  /** Whether its heap is being read. */
  pending: boolean
  /** When its next collection may be requested. */
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

  /** A thread has collected its garbage, and uses this many megabytes. */
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
    // The thread can collect its garbage and report the rest, unless it is busy.
    const now = performance.now()
    if (now < check.collectAt) return
    check.collectAt = now + collectInterval
    thread.collect()
  }

  #exceed(thread: PoolThread, used: number): void {
    const { limit, onExceeded } = this.#options
    const why = `it used ${Math.round(used)} MB of memory, over its limit of ${limit} (maxMemory)`
    onExceeded(thread, new WorkerThreadLost(`The thread that ran the message died: ${why}.`))
  }
}
