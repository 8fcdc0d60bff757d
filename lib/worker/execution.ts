/**
 * One run of one message, and how it is interrupted. Middleware asks for an interruption by the message; who runs it,
 * inline or on a thread, is the runner's affair.
 */
import type { Body } from '../encoder.js'
import { Interrupt, Shutdown, TimeLimitExceeded } from '../errors.js'
import type { Message } from '../message.js'
import type { AnyActor, WantedResult } from '../middleware.js'
import { type Clock, type Duration, parseDuration } from '../time.js'

/** Runs actors: on the main event loop or on threads. */
export interface Runner {
  /** How many messages it can run at once now: fewer while a lost thread is being replaced. */
  readonly slots: number
  start(): Promise<void>
  /**
   * Runs the actor: gives its result, at once or later; fails with what it threw, or with `GivenBack` when it was
   * stopped for no fault of its own.
   */
  run(execution: Execution): unknown
  /** Aborts the actor's signal. */
  abort(execution: Execution, reason: Interrupt): void
  /**
   * Ends a run that didn't heed its signal: it rejects with `reason`. Gives back milliseconds, more than 0, when it was
   * not the message's fault (another one blocks its thread) and it should be asked again after these.
   */
  kill(execution: Execution, reason: Interrupt): number
  /** For how many milliseconds of the last `span` the actor couldn't run because another one blocked its thread; each is told once. */
  starvation(execution: Execution, span: number): number
  /** Ends everything; what still runs is given back. */
  stop(): Promise<void>
}

/** Rejection of a run that was stopped for no fault of the message: it goes back to its queue, uncounted. */
export class GivenBack extends Interrupt {}

/** How long an actor may run, and how long it has to end after that. In milliseconds. */
interface TimeAllowed {
  readonly limit: number
  readonly grace: number
}

/** What is in hand in this process, a map for each of its workers. */
const inHands = new Set<InHand>()

/** The messages that a worker runs now. */
export class InHand extends Map<Message, Execution> {
  constructor() {
    super()
    inHands.add(this)
  }

  /** Forgets about the worker. */
  close(): void {
    inHands.delete(this)
  }
}

function executionOf(message: Message): Execution | undefined {
  for (const inHand of inHands) {
    const execution = inHand.get(message)
    if (execution) return execution
  }
  return undefined
}

export class Execution {
  /** What it was interrupted with. */
  interruption: Interrupt | undefined
  /** What is needed of its result. */
  wanted: WantedResult = 'none'
  /** Whether the run is over, well or badly. */
  over = false
  /** What the runner keeps about the run. */
  run: unknown
  #allowed: TimeAllowed | undefined
  #timer: unknown
  #ended = false

  constructor(
    readonly message: Message,
    readonly body: Body,
    readonly actor: AnyActor,
    private readonly runner: Runner,
    private readonly clock: Clock,
  ) {}

  /** Runs the actor: its result, or a failure that `verdict` explains. */
  start(): unknown {
    // What was interrupted before its turn came doesn't begin any more.
    if (this.interruption) throw this.interruption
    if (this.#allowed) watchLater(this)
    return this.runner.run(this)
  }

  /** Begins to watch the time, if the actor isn't through yet. */
  watch(): void {
    if (!this.#ended) this.#watch((this.#allowed as TimeAllowed).limit)
  }

  /** Must be called when the run is over, however it ended. */
  end(): void {
    this.#ended = true
    if (this.#timer === undefined) return
    this.clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Holds the run to a time limit, once it starts. */
  allow(allowed: TimeAllowed): void {
    this.#allowed = allowed
  }

  #watch(delay: number): void {
    this.#timer = this.clock.setTimeout(() => {
      const { limit, grace } = this.#allowed as TimeAllowed
      const starved = this.runner.starvation(this, limit)
      if (starved > 0) this.#watch(starved)
      else this.interrupt(new TimeLimitExceeded(limit), grace)
    }, delay)
  }

  /** Aborts the actor's signal; with `grace`, ends the run when the actor hasn't ended after so many milliseconds. */
  interrupt(error: Interrupt, grace: number | undefined): void {
    if (this.interruption && !(this.interruption instanceof Shutdown)) return
    this.interruption = error
    this.runner.abort(this, error)
    if (grace === undefined) return
    this.end()
    this.#killAfter(grace, error)
  }

  #killAfter(delay: number, error: Interrupt): void {
    this.#timer = this.clock.setTimeout(() => {
      const again = this.runner.kill(this, error)
      if (again > 0) this.#killAfter(again, error)
    }, delay)
  }

  /** What a failure means: after an interruption it is that interruption, whatever the actor threw because of it. */
  verdict(error: unknown): unknown {
    const { interruption } = this
    if (!interruption || error instanceof GivenBack) return error
    if (!(interruption instanceof Shutdown)) {
      if (error !== interruption) interruption.cause ??= error
      return interruption
    }
    // A shutdown only asks. An error that has nothing to do with it is a failure like any other.
    return isAbort(error, interruption) ? new GivenBack('the worker shuts down', { cause: error }) : error
  }

  /** What a success means: nothing, after an interruption that doesn't only ask. */
  get failedAllTheSame(): Interrupt | undefined {
    return this.interruption instanceof Shutdown ? undefined : this.interruption
  }
}

/** What began in this turn of the event loop. Most actors that take no time are through before it ends, and need no timer. */
let begun: Execution[] = []

function watchLater(execution: Execution): void {
  if (begun.push(execution) === 1) setImmediate(watchAll)
}

function watchAll(): void {
  const executions = begun
  begun = []
  for (const execution of executions) execution.watch()
}

function isAbort(error: unknown, interruption: Interrupt): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause === interruption || cause instanceof Shutdown || cause.name === 'AbortError') return true
  }
  return false
}

/**
 * Interrupts a running message: its `current().signal` aborts with `error` as the reason.
 *
 * @param options.grace How long the actor has to end; then its thread is terminated (inline: its slot freed). Without
 * it the actor is only asked.
 * @returns Whether the message was running.
 */
export function interrupt(message: Message, error: Interrupt, { grace }: { grace?: Duration } = {}): boolean {
  const execution = executionOf(message)
  execution?.interrupt(error, grace === undefined ? undefined : parseDuration(grace, 'grace'))
  return execution !== undefined
}

/**
 * Holds a message that is about to run to a time limit; for `beforeProcessMessage` hooks. At the limit it is
 * interrupted with `TimeLimitExceeded`. Time in which another message blocked its thread doesn't count.
 */
export function limitTime(message: Message, allowed: TimeAllowed): void {
  executionOf(message)?.allow(allowed)
}
