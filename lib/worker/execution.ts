/**
 * One run of one message, and how it is interrupted. Middleware interrupts by message; the runner, inline or on threads,
 * does what that takes.
 */

import type { Chain } from '../chain.js'
import type { Delivery } from '../consumer.js'
import { Interrupt, Shutdown, TimeLimitExceeded } from '../errors.js'
import { causesOf } from '../failure.js'
import type { Message } from '../message.js'
import type { AnyActor, WantedResult } from '../middleware.js'
import type { RunReporter } from '../status/report.js'
import { read } from '../thrown.js'
import type { Clock } from '../time.js'
import type { SettlingConsumer } from './settling/unsettled-delivery.js'

/** How the deliveries of one consumed queue are settled and counted. */
export interface DeliverySettlements {
  readonly consumer: SettlingConsumer
  /** Acknowledges a delivery in a batch with others. Counts it as settled by itself: don't call `settled` for it. */
  acknowledge(delivery: Delivery): void
  /** The actor has finished: the next message can start while this one is being settled. */
  ran(): void
  /** The message is settled, or can't be settled by this worker any more. */
  settled(): void
  /** Excludes `more` messages from those that count as held, while they run in isolation. */
  exclude(more: number): void
}

/** Receives the end of a run: exactly one of the two calls, once. */
export interface ExecutionObserver {
  onResult(execution: Execution, result: unknown): void
  onError(execution: Execution, error: unknown): void
}

/** What an execution asks of whoever runs it. */
export interface RunControl {
  /**
   * Runs the actor. Calls `succeed` of the execution with the result, or `fail` with what the actor threw, or with
   * `GivenBack` when the run was stopped through no fault of the message. May throw instead of calling `fail`.
   */
  run(execution: Execution): void
  /** Aborts the actor's signal. */
  abort(execution: Execution, reason: Interrupt): void
  /**
   * Ends a run that ignored its signal: it fails with `reason`.
   * @returns 0, or after how many milliseconds to try again, because another message blocks the thread.
   */
  kill(execution: Execution, reason: Interrupt): number
  /**
   * For how many of the last `span` milliseconds the actor couldn't run because another one blocked its thread. Each
   * millisecond is reported once. If it is unknown which message blocks the thread, the runner waits up to `grace`, then
   * terminates the thread and returns `undefined`: the limit no longer applies to what ran there.
   */
  blockedTime(execution: Execution, span: number, grace: number): number | undefined
}

/** Runs actors: on the main event loop or on threads. */
export interface Runner extends RunControl {
  /** How many runs it can have at once at the moment: fewer while a lost thread is being replaced. */
  readonly slots: number
  /** Whether it checks results that must be JSON itself. A plugin around the actor may still return another one. */
  readonly checksResults: boolean
  start(): Promise<void>
  /** Stops the runner. Messages that still run return to their queue. */
  stop(): Promise<void>
}

/** Rejects a run that was stopped through no fault of the message. It returns to its queue, and no attempt is counted. */
export class GivenBack extends Interrupt {
  /** Milliseconds until it may run again; 0 for immediately. */
  readonly delay: number

  constructor(message: string, { delay = 0, ...options }: ErrorOptions & { delay?: number } = {}) {
    super(message, options)
    this.delay = delay
  }
}

/** How long an actor may run, and how long it has to finish once it was interrupted. In milliseconds. */
export interface TimeAllowance {
  readonly limit: number
  readonly grace: number
}

export class Execution {
  /** The reason it was interrupted with. */
  interruption: Interrupt | undefined
  /** What plugins need of its result. */
  wanted: WantedResult = 'none'
  /** Whether the actor has finished, or its end no longer matters. */
  actorEnded = false
  /** Whether the plugins around the actor have finished as well. */
  chainEnded = false
  /** The runner's own record of the run. */
  run: unknown
  /** Receives what the actor reports, if the message is tracked. */
  reporter: RunReporter | undefined
  /** If it is the run of a batch: the executions of its messages, in order. It succeeds with a `BatchEnd` for each. */
  members: readonly Execution[] | undefined
  /** Links of the list of running messages. */
  previous: Execution | undefined
  next: Execution | undefined
  #allowed: TimeAllowance | undefined
  #timer: unknown
  #watchEnded = false

  constructor(
    readonly message: Message,
    readonly delivery: Delivery,
    readonly settlements: DeliverySettlements,
    readonly actor: AnyActor,
    /** The plugins that may have something to do for the message. */
    readonly chain: Chain,
    private readonly runner: RunControl,
    private readonly clock: Clock,
    private observer: ExecutionObserver,
  ) {}

  /** Runs the actor. */
  start(): void {
    // Interrupted before it started: it doesn't start any more.
    if (this.interruption) throw this.interruption
    if (this.#allowed) watchAtEndOfTurn(this)
    this.runner.run(this)
  }

  /** Runs the actor for the plugins around it: they get its end, and not the observer. */
  startAsPromise(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.observer = { onResult: (_, result) => resolve(result), onError: (_, error) => reject(error) }
      this.start()
    })
  }

  /** The actor returned. Only the first end counts. */
  succeed(result: unknown): void {
    if (this.actorEnded) return
    this.actorEnded = true
    this.observer.onResult(this, result)
  }

  /** The actor failed, or was stopped. */
  fail(error: unknown): void {
    if (this.actorEnded) return
    this.actorEnded = true
    this.observer.onError(this, error)
  }

  /** Starts the time limit, unless the run has ended. */
  watch(): void {
    if (!this.#watchEnded) this.#watch((this.#allowed as TimeAllowance).limit)
  }

  /** Stops the timers. Must be called when the run is over, however it ended. */
  endWatch(): void {
    this.#watchEnded = true
    if (this.#timer === undefined) return
    this.clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Discards the run so far. The time limit starts again with `resume`. */
  suspend(): void {
    this.endWatch()
    this.interruption = undefined
  }

  /** Starts again, with the full time limit. */
  resume(): void {
    this.#watchEnded = false
    if (this.#allowed) watchAtEndOfTurn(this)
  }

  /** Its time limit. */
  get allowed(): TimeAllowance | undefined {
    return this.#allowed
  }

  /** Sets the time limit, which counts from the start. */
  allow(allowed: TimeAllowance): void {
    this.#allowed = allowed
  }

  #watch(delay: number): void {
    this.#timer = this.clock.setTimeout(() => {
      const { limit, grace } = this.#allowed as TimeAllowance
      const blocked = this.runner.blockedTime(this, limit, grace)
      if (blocked === undefined) return
      if (blocked > 0) this.#watch(blocked)
      else this.interrupt(new TimeLimitExceeded(limit), grace)
    }, delay)
  }

  /** Aborts the actor's signal. With `grace`, ends the run if the actor hasn't finished after that many milliseconds. */
  interrupt(error: Interrupt, grace: number | undefined): void {
    if (this.interruption && !(this.interruption instanceof Shutdown)) return
    this.interruption = error
    this.runner.abort(this, error)
    if (grace === undefined) return
    this.endWatch()
    this.#killAfter(grace, error)
  }

  #killAfter(delay: number, error: Interrupt): void {
    this.#timer = this.clock.setTimeout(() => {
      const retryIn = this.runner.kill(this, error)
      if (retryIn > 0) this.#killAfter(retryIn, error)
    }, delay)
  }

  /** The error that counts: after an interruption it is the interruption, whatever the actor threw because of it. */
  resolveError(error: Error): Error {
    const { interruption } = this
    if (!interruption || error instanceof GivenBack) return error
    if (!(interruption instanceof Shutdown)) {
      // A thread returns the reason of its signal as a copy.
      if (error !== interruption && error.name !== interruption.name) interruption.cause ??= error
      return interruption
    }
    // A shutdown is a request. An error that has nothing to do with it is a failure like any other.
    return isAbort(error, interruption) ? new GivenBack('the worker shuts down', { cause: error }) : error
  }

  /** The error that overrides a success: an interruption, unless it was only a request (`Shutdown`). */
  get overridingError(): Interrupt | undefined {
    return this.interruption instanceof Shutdown ? undefined : this.interruption
  }
}

/** Runs that started in this turn of the event loop. Actors that finish within the turn need no timer. */
let startedThisTurn: Execution[] = []

function watchAtEndOfTurn(execution: Execution): void {
  if (startedThisTurn.push(execution) === 1) setImmediate(watchAll)
}

function watchAll(): void {
  const executions = startedThisTurn
  startedThisTurn = []
  for (const execution of executions) execution.watch()
}

function isAbort(error: Error, interruption: Interrupt): boolean {
  const chain = [error, ...causesOf(error)]
  return chain.some((one) => one === interruption || one instanceof Shutdown || read(one, 'name') === 'AbortError')
}
