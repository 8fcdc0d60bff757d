/** Starts the messages that a worker has fetched, highest priority first, as slots become free. */
import type { Broker } from '../broker.js'
import type { Delivery } from '../consumer.js'
import { Batches } from './batches.js'
import type { Runner } from './execution.js'
import { Executor } from './executor.js'
import { LocalQueue } from './local-queue.js'
import type { RunningMessages } from './running-messages.js'
import type { QueueSettlements } from './settling/queue-settlements.js'

interface Waiting {
  readonly delivery: Delivery
  readonly settlements: QueueSettlements
}

export class Dispatcher {
  readonly #runner: Runner
  readonly #batches: Batches
  readonly #executor: Executor
  readonly #localQueue = new LocalQueue<Waiting>()
  #active = 0
  #dispatching = false
  #stopped = false

  constructor(broker: Broker, runner: Runner, running: RunningMessages) {
    this.#runner = runner
    this.#batches = new Batches({ runner, clock: broker.clock, onChange: () => this.dispatch() })
    this.#executor = new Executor(broker, runner, running, this.#batches)
  }

  /** How many messages have begun and not finished. */
  get active(): number {
    return this.#active
  }

  /** How many messages gather in batches, if no actor is running; otherwise 0. */
  get gathering(): number {
    return this.#active === this.#batches.withoutSlot ? this.#active : 0
  }

  /** How many messages wait for a slot. */
  get waiting(): number {
    return this.#localQueue.size
  }

  /** Whether no slot is free. */
  get isFull(): boolean {
    const occupied = this.#active - this.#batches.withoutSlot
    return occupied > 0 && occupied >= this.#runner.slots
  }

  accept(delivery: Delivery, settlements: QueueSettlements): void {
    this.#localQueue.push({ delivery, settlements }, delivery.priority)
    this.dispatch()
  }

  /** An actor has finished. */
  ran(): void {
    this.#active--
    if (this.#hasWork) this.dispatch()
  }

  /** Whether anything waits for a slot. */
  get #hasWork(): boolean {
    return !this.#stopped && (this.#localQueue.size > 0 || this.#batches.due > 0)
  }

  /** Starts as many messages as there are slots. */
  dispatch(): void {
    // An actor that finishes immediately calls this again from within the loop, which continues anyway.
    if (this.#dispatching) return
    this.#dispatching = true
    while (this.#hasWork && this.#active - this.#batches.withoutSlot < this.#runner.slots) {
      if (this.#batches.startNext()) continue
      this.#active++
      const { delivery, settlements } = this.#localQueue.shift() as Waiting
      this.#executor.process(delivery, settlements)
    }
    this.#dispatching = false
  }

  /** Starts no more messages. Batches that haven't started return to their queues. */
  stop(): void {
    this.#stopped = true
    this.#batches.stop()
  }

  /** Returns the messages that wait for a slot to their queues. */
  requeueWaiting(): void {
    for (const { delivery, settlements } of this.#localQueue.drain()) void settlements.requeue(delivery)
  }
}
