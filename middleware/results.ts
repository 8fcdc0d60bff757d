/**
 * Stores the results of actors with `storeResults`, for `message.result()`: the value after a success, the error once
 * the message failed permanently (never between retries) or was cancelled, `null` if it was skipped.
 *
 * Off by default, since most results aren't needed and each costs a write.
 */
import type { Broker } from '../lib/broker.js'
import { expected, refuseUnknown } from '../lib/checks.js'
import { continues, messagesAfter } from '../lib/composition/place.js'
import type { Duration } from '../lib/duration.js'
import type { SkipMessage } from '../lib/errors.js'
import { textOf, tracebackToKeep } from '../lib/failure.js'
import type { Message } from '../lib/message.js'
import type { AnyActor, Middleware, Rejection } from '../lib/middleware.js'
import { declareOptions, duration, effective, flag } from '../lib/options.js'
import type { Outcome } from '../lib/outcome.js'
import { ResultBackend, type StoredFailure } from '../lib/results/backend.js'
import { cut } from '../lib/thrown.js'

declare module '../lib/actor-options.js' {
  interface MessageOptions {
    /**
     * Whether the result of the actor is stored.
     * @default false
     */
    storeResults?: boolean | undefined
    /**
     * How long it is kept.
     * @default '10m'
     */
    resultTtl?: Duration | undefined
  }
}

declareOptions({
  storeResults: { wire: 'store_results', read: flag },
  resultTtl: { wire: 'result_ttl', read: duration },
})

export interface ResultsOptions {
  /** The results backend. */
  backend: ResultBackend
  /** The default for actors and messages. @default false */
  storeResults?: boolean | undefined
  /** The default for actors and messages. @default '10m' */
  resultTtl?: Duration | undefined
}

export class Results implements Middleware {
  readonly essential = true
  readonly results: ResultBackend
  readonly #storeResults: boolean
  readonly #resultTtl: number

  constructor(options: ResultsOptions) {
    checkBackend(options)
    refuseUnknown(options, ['backend', 'storeResults', 'resultTtl'], 'Results')
    const { backend, storeResults = false, resultTtl = '10m' } = options
    this.results = backend
    this.#storeResults = flag(storeResults, 'storeResults')
    this.#resultTtl = duration(resultTtl, 'resultTtl')
  }

  wantsResult(message: Message, actor: AnyActor | undefined): boolean {
    return effective(message, actor, 'storeResults', this.#storeResults)
  }

  beforeSettleMessage(message: Message, outcome: Outcome, broker: Broker): Promise<void> | undefined {
    const actor = broker.actors.get(message.actorName)
    const { cancellation, decision } = outcome
    if (cancellation) return this.#storeFailure(message, failureOf(cancellation), broker)
    if (decision !== 'ack' || !this.wantsResult(message, actor)) return undefined
    return this.results.storeResult(message, outcome.result, this.#ttl(message, actor))
  }

  afterSkipMessage(message: Message, skip: SkipMessage, broker: Broker): Promise<void> | undefined {
    const actor = broker.actors.get(message.actorName)
    if (skip.fail || !this.wantsResult(message, actor)) return undefined
    return this.results.storeResult(message, null, this.#ttl(message, actor))
  }

  beforeNack(message: Message, { reason, error }: Rejection, broker: Broker): Promise<void> | undefined {
    const failure = error ? failureOf(error) : { type: 'DramatisError', message: cut(reason) }
    return this.#storeFailure(message, failure, broker)
  }

  /** Also as the result of the later steps of its pipeline, which will never run: whoever waits for one learns of it. */
  #storeFailure(message: Message, failure: StoredFailure, broker: Broker): Promise<void> | undefined {
    const failed = [message, ...laterMessages(message)].flatMap((one) => {
      const actor = broker.actors.get(one.actorName)
      // The sender may wait for an actor that is unknown here, but only the message can say so.
      if (!this.wantsResult(one, actor)) return []
      return [this.results.storeFailure(one, failure, this.#ttl(one, actor))]
    })
    return failed.length > 0 ? Promise.all(failed).then(() => {}) : undefined
  }

  #ttl(message: Message, actor: AnyActor | undefined): number {
    return effective(message, actor, 'resultTtl', this.#resultTtl)
  }
}

function failureOf(error: Error): StoredFailure {
  return { type: error.name, message: textOf(error), traceback: tracebackToKeep(error) }
}

function laterMessages(message: Message): readonly Message[] {
  if (!continues(message)) return []
  try {
    return [...messagesAfter(message)]
  } catch {
    // A malformed step, for which nothing can wait.
    return []
  }
}

function checkBackend(options: unknown): void {
  const backend = (options as Partial<ResultsOptions> | undefined)?.backend
  if (backend instanceof ResultBackend) return
  throw expected('a results backend, as in { backend: new RedisResults({ url }) }', backend ?? options, 'backend')
}
