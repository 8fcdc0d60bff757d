/**
 * Says so when a worker stands still: every slot has been taken for long by the same messages, and others wait. Nothing
 * is wrong with it, so that nothing else would ever be said.
 */
import type { Broker } from '../broker.js'
import { getLogger } from '../logger.js'
import { startInterval } from '../time.js'
import type { Execution } from './execution.js'

/** How often it looks, in seconds. */
const interval = 5

/** For how many seconds no slot became free before it is said for the first time; each next time it is twice as long. */
const firstWarning = 30

export interface StallWarningOptions {
  readonly broker: Broker
  /** What takes the slots. */
  readonly executions: () => readonly Execution[]
  /** Whether there is no slot free. */
  readonly isFull: () => boolean
  /** How many messages the worker holds that wait for one. */
  readonly waiting: () => number
  readonly queues: () => readonly string[]
}

export class StallWarning {
  readonly #options: StallWarningOptions
  #timer: NodeJS.Timeout | undefined
  /** What took the slots when it looked last, and for how many seconds it is known to. */
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
    const text = `No message ended for ${seconds} s: every slot is taken, by ${actors.join(', ')}, and ${waiting} more wait. Do they hang? A timeLimit ends them; more concurrency, or a worker of their own for these queues, makes room beside them`
    getLogger().warn({ seconds, waiting, actors }, text)
  }

  /** `"hang" (2, for 35 s)` for each actor that takes slots. */
  #describe(): string[] {
    const byActor = new Map<string, { count: number; longest: number }>()
    for (const [{ actor }, seconds] of this.#seen) {
      const { count, longest } = byActor.get(actor.actorName) ?? { count: 0, longest: 0 }
      byActor.set(actor.actorName, { count: count + 1, longest: Math.max(longest, seconds) })
    }
    return [...byActor].map(([name, { count, longest }]) => `"${name}" (${count}, for ${longest} s)`)
  }

  /** A worker that is full takes nothing more: most of what waits is still with the broker. */
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
