/**
 * Ends messages that were cancelled: with `message.cancel()`, `broker.cancel()`, or by an actor that throws
 * `CancelledError`. One that waits doesn't run. A running one has its signal aborted and, if it doesn't finish within the
 * grace, its thread terminated; without threads its slot is freed. The end of a message removes its mark in the same step.
 */
import type { Broker } from '../lib/broker.js'
import { CancelledMessages } from '../lib/cancellation/cancelled-messages.js'
import { unmarkChanges } from '../lib/cancellation/marks.js'
import { CancellationWatch } from '../lib/cancellation/watch.js'
import { refuseUnknown } from '../lib/checks.js'
import type { Duration } from '../lib/duration.js'
import type { Message } from '../lib/message.js'
import type { Middleware } from '../lib/middleware.js'
import { declareOptions, duration, flag } from '../lib/options.js'
import type { Outcome } from '../lib/outcome.js'
import type { PendingSettlement } from '../lib/settlement.js'
import type { SettlementStep } from '../lib/state/steps.js'
import type { WorkerContract } from '../lib/worker-contract.js'

declare module '../lib/actor-options.js' {
  interface MessageOptions {
    /**
     * Whether its messages can be cancelled. An actor may still cancel itself with `CancelledError`.
     * @default true
     */
    cancellable?: boolean | undefined
  }
}

declareOptions({
  // Whoever cancels a message may not know its actor.
  cancellable: { wire: 'cancellable', read: flag, stamp: (value) => value },
})

export interface CancellationOptions {
  /** How long an actor has to finish after its signal was aborted, before its thread is terminated. @default '1s' */
  grace?: Duration | undefined
}

export class Cancellation implements Middleware {
  readonly essential = true
  readonly #grace: number
  readonly #cancelled = new CancelledMessages()
  readonly #watches = new Map<Broker, CancellationWatch>()
  /** The one used last: nearly always there is one broker. */
  #latest: { readonly broker: Broker; readonly watch: CancellationWatch } | undefined

  constructor(options: CancellationOptions = {}) {
    refuseUnknown(options, ['grace'], 'Cancellation')
    const { grace = '1s' } = options
    this.#grace = duration(grace, 'grace')
  }

  #watchOf(broker: Broker): CancellationWatch {
    if (this.#latest?.broker === broker) return this.#latest.watch
    const watch = this.#watches.get(broker) ?? new CancellationWatch(broker, this.#grace, this.#cancelled)
    this.#watches.set(broker, watch)
    this.#latest = { broker, watch }
    return watch
  }

  wantsResult(): boolean {
    return false
  }

  beforeWorkerBoot(worker: WorkerContract): void {
    this.#watchOf(worker.broker).begin(worker)
  }

  afterWorkerShutdown(worker: WorkerContract): void {
    const watch = this.#watchOf(worker.broker)
    watch.end(worker)
    if (!watch.isOver) return
    this.#watches.delete(worker.broker)
    this.#latest = undefined
  }

  beforeProcessMessage(message: Message, broker: Broker): Promise<void> | undefined {
    const watch = this.#watchOf(broker)
    return watch.mayBeCancelled(message) ? watch.check(message) : undefined
  }

  /** Called after `Retries` has decided. */
  afterProcessMessage(message: Message, outcome: Outcome, broker: Broker): void {
    if (!outcome.error) return
    const error = this.#cancelled.errorOf(message)
    if (error) outcome.cancel(error.reason)
    else this.#watchOf(broker).failed(message)
  }

  joinsSettlement(message: Message): boolean {
    return this.#cancelled.any && this.#cancelled.hasMark(message)
  }

  /** Whatever its end is. */
  beforeStoreSettlement(message: Message, _settlement: PendingSettlement, step: SettlementStep): void {
    if (!step.copy && this.#cancelled.hasMark(message)) step.add({ changes: unmarkChanges(message.messageId) })
  }
}
