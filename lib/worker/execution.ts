/**
 * One run of one message, and how it is interrupted. Middleware asks for an interruption by the message; who runs it,
 * inline or on a thread, is the runner's affair.
 */

import type { Body } from '../encoder.js'
import { Interrupt, Shutdown } from '../errors.js'
import type { Message } from '../message.js'
import type { AnyActor, WantedResult } from '../middleware.js'
import type { Clock } from '../time.js'

/** Runs actors: on the main event loop or on threads. */
export interface Runner {
  /** How many messages it can run at once now: fewer while a lost thread is being replaced. */
  readonly slots: number
  start(): Promise<void>
  /** Runs the actor; rejects with what it threw, or with `GivenBack` when it was stopped for no fault of its own. */
  run(execution: Execution): Promise<unknown>
  /** Aborts the actor's signal. */
  abort(execution: Execution, reason: Interrupt): void
  /**
   * Ends a run that didn't heed its signal: it rejects with `reason`. Gives back milliseconds, more than 0, when it was
   * not the message's fault (another one blocks its thread) and it should be asked again after these.
   */
  kill(execution: Execution, reason: Interrupt): number
  /** For how many milliseconds of the last `span` the actor couldn't run because another one blocked its thread. */
  starvation(execution: Execution, span: number): number
  /** Ends everything; what still runs is given back. */
  stop(): Promise<void>
}

/** Rejection of a run that was stopped for no fault of the message: it goes back to its queue, uncounted. */
export class GivenBack extends Interrupt {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options)
  }
}

const running = new WeakMap<Message, Execution>()

export class Execution {
  /** What it was interrupted with. */
  interruption: Interrupt | undefined
  #graceTimer: unknown

  constructor(
    readonly message: Message,
    readonly body: Body,
    readonly actor: AnyActor,
    /** What is needed of its result. */
    readonly wanted: WantedResult,
    private readonly runner: Runner,
    private readonly clock: Clock,
  ) {}

  /** Runs the actor and says how it ended, interruptions considered. */
  async run(): Promise<unknown> {
    running.set(this.message, this)
    try {
      const result = await this.runner.run(this)
      if (this.interruption && !(this.interruption instanceof Shutdown)) throw this.interruption
      return result
    } catch (error) {
      throw this.#verdict(error)
    } finally {
      running.delete(this.message)
      if (this.#graceTimer !== undefined) this.clock.clearTimeout(this.#graceTimer)
    }
  }

  /** What a rejection means: after an interruption it is that interruption, whatever the actor threw because of it. */
  #verdict(error: unknown): unknown {
    const { interruption } = this
    if (!interruption || error instanceof GivenBack || error === interruption) {
      return error === interruption && error instanceof Shutdown ? new GivenBack('The worker shuts down.') : error
    }
    if (!(interruption instanceof Shutdown)) {
      interruption.cause ??= error
      return interruption
    }
    // A shutdown only asks. An error that has nothing to do with it is a failure like any other.
    return isAbort(error, interruption) ? new GivenBack('The worker shuts down.', { cause: error }) : error
  }

  /** Aborts the actor's signal; with `grace`, ends the run when the actor hasn't ended after so many milliseconds. */
  interrupt(error: Interrupt, grace: number | undefined): void {
    if (this.interruption && !(this.interruption instanceof Shutdown)) return
    this.interruption = error
    this.runner.abort(this, error)
    if (grace !== undefined) this.#killAfter(grace, error)
  }

  #killAfter(delay: number, error: Interrupt): void {
    this.#graceTimer = this.clock.setTimeout(() => {
      const again = this.runner.kill(this, error)
      if (again > 0) this.#killAfter(again, error)
    }, delay)
  }

  /** Time in which it couldn't run, in milliseconds; each is told once, so that it can be granted once. */
  starvation(span: number): number {
    return this.runner.starvation(this, span)
  }
}

function isAbort(error: unknown, interruption: Interrupt): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (
      cause === interruption ||
      cause instanceof Shutdown ||
      cause.name === 'AbortError' ||
      cause.name === interruption.name
    )
      return true
  }
  return false
}

/**
 * Interrupts a running message: its `current().signal` aborts with `error` as the reason.
 *
 * @param options.grace How many milliseconds the actor has to end; then its thread is terminated (inline: its slot
 * freed). Without it the actor is only asked.
 * @returns Whether the message was running.
 */
export function interrupt(message: Message, error: Interrupt, { grace }: { grace?: number } = {}): boolean {
  const execution = running.get(message)
  execution?.interrupt(error, grace)
  return execution !== undefined
}

/** For how much of the last `span` milliseconds a running message could not run, through no fault of its own. */
export function starvation(message: Message, span: number): number {
  return running.get(message)?.starvation(span) ?? 0
}
