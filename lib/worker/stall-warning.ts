/**
 * Warns when a worker makes no progress: the same messages have occupied every slot for a long time while others wait.
 * Since nothing fails, nothing else would be logged.
 */
import type { Broker } from '../broker.js'
import { getLogger } from '../logger.js'
import { startInterval } from '../time.js'
import type { Execution } from './execution.js'

/** How often it checks, in seconds. */
const interval = 5

/** After how many seconds without a free slot it warns first; each further warning comes after twice that time. */
const firstWarning = 30

export interface StallWarningOptions {
  readonly broker: Broker
  /** The messages that occupy the slots. */
  readonly executions: () => readonly Execution[]
  /** Whether no slot is free. */
  readonly isFull: () => boolean
  /** How many prefetched messages wait for a slot. */
  readonly waiting: () => number
  readonly queues: () => readonly string[]
}

export class StallWarning {
  readonly #options: StallWarningOptions
  #timer: NodeJS.Timeout | undefined
  /** What occupied the slots at the last check, and for how many seconds so far. */
  #seen = new Map<Execution, number>()
  /** For how many seconds nothing has changed. */
  #stalledFor = 0
  #warnAt = firstWarning

  constructor(options: StallWarningOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer = startInterval(() => this.#check(), interval * 1000).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #check(): void {
    const { isFull, executions } = this.#options
    const before = this.#seen
    this.#seen = new Map()
    let isStalled = isFull()
    for (const execution of isStalled ? executions() : []) {
      const seconds = before.get(execution)
      if (seconds === undefined) isStalled = false
      this.#seen.set(execution, seconds === undefined ? 0 : seconds + interval)
    }
    this.#stalledFor = isStalled ? this.#stalledFor + interval : 0
    if (this.#stalledFor === 0) this.#warnAt = firstWarning
    else if (this.#stalledFor >= this.#warnAt) void this.#warn()
  }

  async #warn(): Promise<void> {
    const seconds = this.#stalledFor
    const actors = this.#describe()
    this.#warnAt = seconds * 2
    const waiting = await this.#countWaiting()
    if (waiting === 0) return
    const text = `No message has finished for ${seconds} s: every slot is occupied, by ${actors.join(', ')}, and ${waiting} more wait. If they hang, a timeLimit ends them; otherwise raise concurrency, or run a separate worker for these queues`
    getLogger().warn({ seconds, waiting, actors }, text)
  }

  /** `"hang" (2, for 35 s)` for each actor that occupies slots. */
  #describe(): string[] {
    const byActor = new Map<string, { count: number; longest: number }>()
    for (const [{ actor }, seconds] of this.#seen) {
      const { count, longest } = byActor.get(actor.actorName) ?? { count: 0, longest: 0 }
      byActor.set(actor.actorName, { count: count + 1, longest: Math.max(longest, seconds) })
    }
    return [...byActor].map(([name, { count, longest }]) => `"${name}" (${count}, for ${longest} s)`)
  }

  /** A full worker doesn't fetch: most of what waits is still with the broker. */
  async #countWaiting(): Promise<number> {
    const { broker, queues, waiting } = this.#options
    try {
      const stats = await Promise.all(queues().map((queueName) => broker.stats(queueName)))
      return stats.reduce((sum, { ready }) => sum + ready, waiting())
    } catch {
      return waiting()
    }
  }
}
