/**
 * Waits for messages on queues. One query serves the waits on all queues when another process has written; writes of
 * this process wake them directly.
 */
import { startTimer } from '../../../lib/time.js'
import type { ChangeWatcher } from './change-watcher.js'

/** How often the queues are read even without a change, in milliseconds: no wake-up is missed for longer. */
const maxWait = 5000

/** A queue with messages that no worker holds, and when the first of them may be taken; `0` for immediately. */
export interface QueueDue {
  readonly queue: string
  readonly dueAt: number
}

export class QueueWaits {
  readonly #watcher: ChangeWatcher
  readonly #readQueues: () => Promise<readonly QueueDue[]>
  readonly #waits = new Map<string, (() => void)[]>()
  #stopWatching: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined
  #isScheduled = false

  constructor(watcher: ChangeWatcher, readQueues: () => Promise<readonly QueueDue[]>) {
    this.#watcher = watcher
    this.#readQueues = readQueues
  }

  /** Resolves when a queue may have messages to take. Another worker may take them first. */
  wait(queueName: string): Promise<void> {
    return new Promise((resolve) => {
      const waits = this.#waits.get(queueName)
      if (waits) waits.push(resolve)
      else this.#waits.set(queueName, [resolve])
      this.#stopWatching ??= this.#watcher.watchOthers(() => this.#schedule())
      this.#schedule()
    })
  }

  /** Call it when messages were stored on a queue, or when its consumer was closed. */
  wake(queueName: string): void {
    const waits = this.#waits.get(queueName)
    if (!waits) return
    this.#waits.delete(queueName)
    if (this.#waits.size === 0) this.#stop()
    for (const resolve of waits) resolve()
  }

  /** Call it when messages were stored on unknown queues. */
  wakeAll(): void {
    for (const queueName of this.#waits.keys()) this.wake(queueName)
  }

  #stop(): void {
    clearTimeout(this.#timer)
    this.#stopWatching?.()
    this.#stopWatching = undefined
  }

  /** Reads the queues once for all waits that began in this turn of the event loop. */
  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      if (this.#waits.size > 0) void this.#wakeDue()
    })
  }

  /** Wakes the waits on queues with messages, and sets the timer for the next message that is due. */
  async #wakeDue(): Promise<void> {
    let next = Date.now() + maxWait
    try {
      const queues = await this.#readQueues()
      const now = Date.now()
      for (const { queue, dueAt } of queues) {
        if (dueAt <= now) this.wake(queue)
        else if (this.#waits.has(queue)) next = Math.min(next, dueAt)
      }
    } catch {
      // The next take fails in the same way, and reports it.
      this.wakeAll()
    }
    if (this.#waits.size === 0) return
    clearTimeout(this.#timer)
    // This timer keeps the process alive, as the connection to a server would: a worker waits for messages.
    this.#timer = startTimer(() => this.#schedule(), Math.max(1, next - Date.now()))
  }
}
