/**
 * One run of one message, and how it is interrupted. Middleware asks for an interruption by the message; who runs it,
 * inline or on a thread, is the runner's affair.
 */

import type { Consumer, Delivery } from '../consumer.js'
import { Interrupt, Shutdown, TimeLimitExceeded } from '../errors.js'
import { causesOf } from '../failure.js'
import { assertMessage, type Message } from '../message.js'
import type { AnyActor, WantedResult } from '../middleware.js'
import { expected, refuseUnknown } from '../options.js'
import { read } from '../thrown.js'
import { type Clock, type Duration, parseDuration } from '../time.js'
import { executionOf } from './running-messages.js'

/** Where deliveries come from, and what is told about them: one for each queue that a worker consumes. */
export interface DeliverySettlements {
  /** Settlements through it are tried until they work. */
  readonly consumer: Consumer
  /** Acknowledges what needs nothing else, together with others, and sees to the rest: `settled` isn't called for it. */
  acknowledge(delivery: Delivery): void
  /** The actor is through: the next message can start while this one is being settled. */
  ran(): void
  /** The message is settled, or never will be from here. */
  settled(): void
  /** So many messages more don't count as held: they take nobody's place while it is found out what they do to threads. */
  exclude(more: number): void
}

/** Who is told how a run ended: once, of one of the two. */
export interface ExecutionObserver {
  onResult(execution: Execution, result: unknown): void
  onError(execution: Execution, error: unknown): void
}

/** Runs actors: on the main event loop or on threads. */
export interface Runner {
  /** How many messages it can run at once now: fewer while a lost thread is being replaced. */
  readonly slots: number
  /** Whether results that are wanted as JSON were checked where they were returned; a plugin around it may give another. */
  readonly checksResults: boolean
  start(): Promise<void>
  /**
   * Runs the actor, and has the execution `succeed` with its result, at once or later; or `fail` with what it threw, or
   * with `GivenBack` when it was stopped for no fault of its own. May throw in place of failing at once.
   */
  run(execution: Execution): void
  /** Aborts the actor's signal. */
  abort(execution: Execution, reason: Interrupt): void
  /**
   * Ends a run that didn't heed its signal: it fails with `reason`. Gives back milliseconds, more than 0, when it was
   * not the message's fault (another one blocks its thread) and it should be asked again after these.
   */
  kill(execution: Execution, reason: Interrupt): number
  /**
   * For how many milliseconds of the last `span` the actor couldn't run because another one blocked its thread; each is
   * told once. When it can't be told who blocks the thread, that is waited for as long as `grace`; then the thread is
   * ended, and the answer is `undefined`: what ran there is no longer held to this limit.
   */
  blockedTime(execution: Execution, span: number, grace: number): number | undefined
  /** Ends everything; what still runs is given back. */
  stop(): Promise<void>
}

/** Rejection of a run that was stopped for no fault of the message: it goes back to its queue, uncounted. */
export class GivenBack extends Interrupt {
  /** Milliseconds until it may run again; its turn comes at once without them. */
  readonly delay: number

  constructor(message: string, { delay = 0, ...options }: ErrorOptions & { delay?: number } = {}) {
    super(message, options)
    this.delay = delay
  }
}

/** How long an actor may run, and how long it has to end after that. In milliseconds. */
interface TimeAllowance {
  readonly limit: number
  readonly grace: number
}

export class Execution {
  /** What it was interrupted with. */
  interruption: Interrupt | undefined
  /** What is needed of its result. */
  wanted: WantedResult = 'none'
  /** Whether the actor is through, or nobody waits for it any more. */
  over = false
  /** Whether what surrounds the actor is through as well. */
  concluded = false
  /** What the runner keeps about the run. */
  run: unknown
  /** Its neighbours among what is in hand. */
  previous: Execution | undefined
  next: Execution | undefined
  #allowed: TimeAllowance | undefined
  #timer: unknown
  #ended = false

  constructor(
    readonly message: Message,
    readonly delivery: Delivery,
    readonly settlements: DeliverySettlements,
    readonly actor: AnyActor,
    private readonly runner: Runner,
    private readonly clock: Clock,
    private observer: ExecutionObserver,
  ) {}

  /** Runs the actor. */
  start(): void {
    // What was interrupted before its turn came doesn't begin any more.
    if (this.interruption) throw this.interruption
    if (this.#allowed) watchAtEndOfTurn(this)
    this.runner.run(this)
  }

  /** The same, for those who surround it: its end is theirs to see, and not the onlooker's. */
  startWithin(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.observer = { onResult: (_, result) => resolve(result), onError: (_, error) => reject(error) }
      this.start()
    })
  }

  /** The actor returned; what comes after a first end is ignored. */
  succeed(result: unknown): void {
    if (this.over) return
    this.over = true
    this.observer.onResult(this, result)
  }

  /** It failed, or was stopped. */
  fail(error: unknown): void {
    if (this.over) return
    this.over = true
    this.observer.onError(this, error)
  }

  /** Begins to watch the time, if the actor isn't through yet. */
  watch(): void {
    if (!this.#ended) this.#watch((this.#allowed as TimeAllowance).limit)
  }

  /** Must be called when the run is over, however it ended. */
  end(): void {
    this.#ended = true
    if (this.#timer === undefined) return
    this.clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** What it did so far is void; its time doesn't run until it is resumed. */
  suspend(): void {
    this.end()
    this.interruption = undefined
  }

  /** Begins anew, with all of its time. */
  resume(): void {
    this.#ended = false
    if (this.#allowed) watchAtEndOfTurn(this)
  }

  /** Holds the run to a time limit, once it starts. */
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
      const retryIn = this.runner.kill(this, error)
      if (retryIn > 0) this.#killAfter(retryIn, error)
    }, delay)
  }

  /** What a failure means: after an interruption it is that interruption, whatever the actor threw because of it. */
  resolveError(error: Error): Error {
    const { interruption } = this
    if (!interruption || error instanceof GivenBack) return error
    if (!(interruption instanceof Shutdown)) {
      // From a thread the reason of its signal comes back as a copy.
      if (error !== interruption && error.name !== interruption.name) interruption.cause ??= error
      return interruption
    }
    // A shutdown only asks. An error that has nothing to do with it is a failure like any other.
    return isAbort(error, interruption) ? new GivenBack('the worker shuts down', { cause: error }) : error
  }

  /** What a success means: nothing, after an interruption that doesn't only ask. */
  get overridingError(): Interrupt | undefined {
    return this.interruption instanceof Shutdown ? undefined : this.interruption
  }
}

/** What began in this turn of the event loop. Most actors that take no time are through before it ends, and need no timer. */
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

/**
 * Interrupts a running message: its `current().signal` aborts with `error` as the reason.
 *
 * @param options.grace How long the actor has to end; then its thread is terminated (inline: its slot freed). Without
 * it the actor is only asked.
 * @returns Whether the message was running.
 */
export function interrupt(message: Message, error: Interrupt, options: { grace?: Duration | undefined } = {}): boolean {
  assertMessage(message)
  if (!(error instanceof Interrupt)) throw expected('an Interrupt, such as new Shutdown()', error, 'error')
  refuseUnknown(options, ['grace'], 'interrupt()')
  const grace = options.grace === undefined ? undefined : parseDuration(options.grace, 'grace')
  const execution = executionOf(message)
  execution?.interrupt(error, grace)
  return execution !== undefined
}

/**
 * Holds a message that is about to run to a time limit; for `beforeProcessMessage` hooks. At the limit it is
 * interrupted with `TimeLimitExceeded`. Time in which another message blocked its thread doesn't count.
 */
export function limitTime(message: Message, allowed: TimeAllowance): void {
  executionOf(message)?.allow(allowed)
}
