/** A consumer of the test broker: it can be paused, and brings about the faults that are switched on. */
import type { Consumer, DeadLetterReason, Delivery, StateSettlement } from '../lib/consumer.js'
import { ConnectionFailed, DecodeError } from '../lib/errors.js'
import { Message } from '../lib/message.js'
import type { Entry } from '../lib/outcome.js'
import type { Refusal } from '../lib/state/changes.js'
import { assertConnected, type FaultSwitches } from './faults.js'

export interface TestConsumerOptions {
  /** Makes a consumer of the queue that has no faults. */
  readonly make: () => Consumer
  readonly faults: FaultSwitches
  /** Stores a message once more. */
  readonly storeAgain: (message: Message) => Promise<void>
  /** How many dead letters the queue has. */
  readonly countDead: () => number
  /** Called when a message was dead-lettered. */
  readonly deadLettered: (delivery: Delivery, reason: DeadLetterReason) => void
  /** Called when a delivery was settled. */
  readonly settled: () => void
}

/** Enough to take everything that is ready. */
const everything = Number.MAX_SAFE_INTEGER

export class TestConsumer implements Consumer {
  readonly #options: TestConsumerOptions
  #inner: Consumer
  #paused = false
  #closed = false
  /** Goes on with a `take` that waits for the end of the pause. */
  #resume = (): void => {}

  constructor(options: TestConsumerOptions) {
    this.#options = options
    this.#inner = options.make()
  }

  get queueName(): string {
    return this.#inner.queueName
  }

  /** Takes return nothing until `resume`. */
  pause(): void {
    this.#paused = true
    this.endTake()
  }

  resume(): void {
    this.#paused = false
    this.#resume()
  }

  /** Ends a waiting take of the broker, so that the pause or the fault is noticed. */
  endTake(): void {
    void this.#inner.close()
    this.#inner = this.#options.make()
  }

  async take(limit: number): Promise<readonly Delivery[]> {
    while (this.#paused && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#resume = resolve
      })
    }
    if (this.#closed) return []
    const { faults } = this.#options
    assertConnected(faults)
    const batch = await (faults.reordered ? this.#takeNewest(limit) : this.#inner.take(limit))
    if (batch.length === 0) assertConnected(faults)
    if (faults.doubles) for (const delivery of batch) await this.#double(delivery)
    return batch
  }

  /** Takes all that is ready, and returns what is too much. */
  async #takeNewest(limit: number): Promise<readonly Delivery[]> {
    const inner = this.#inner
    const all = [...(await inner.take(everything))].reverse()
    for (const delivery of all.slice(limit)) await inner.requeue(delivery)
    return all.slice(0, limit)
  }

  async #double({ body }: Delivery): Promise<void> {
    const { faults, storeAgain } = this.#options
    try {
      const message = Message.decode(body)
      if (faults.takeDouble(message)) await storeAgain(message)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
    }
  }

  async begin(delivery: Delivery): Promise<void> {
    assertConnected(this.#options.faults)
    await this.#inner.begin(delivery)
  }

  async ack(delivery: Delivery, sends: readonly Entry[]): Promise<void> {
    await this.#settle(delivery, () => this.#inner.ack(delivery, sends))
  }

  async deadLetter(delivery: Delivery, reason: DeadLetterReason, sends: readonly Entry[]): Promise<void> {
    await this.#settle(delivery, () => this.#inner.deadLetter(delivery, reason, sends), reason)
  }

  async settleWith(delivery: Delivery, step: StateSettlement): Promise<Refusal | undefined> {
    let refusal: Refusal | undefined
    const settle = async (): Promise<void> => {
      refusal = await this.#inner.settleWith?.(delivery, step)
    }
    await this.#settle(delivery, settle, step.letter)
    return refusal
  }

  async requeue(delivery: Delivery, how?: { counted?: boolean; delay?: number }): Promise<void> {
    assertConnected(this.#options.faults)
    await this.#inner.requeue(delivery, how)
    this.#options.settled()
  }

  /** @param letter Why it is dead-lettered, if it is. */
  async #settle(delivery: Delivery, settle: () => Promise<void>, letter?: DeadLetterReason): Promise<void> {
    const { faults, countDead, deadLettered, settled } = this.#options
    assertConnected(faults)
    if (faults.takeFailingAck()) {
      await this.#inner.requeue(delivery, { counted: true })
      throw new ConnectionFailed('The acknowledgement was lost, and the message is delivered again (failNextAck).')
    }
    const dead = countDead()
    await settle()
    // Nothing happens if the message was redelivered or flushed in the meantime.
    if (letter && countDead() > dead) deadLettered(delivery, letter)
    settled()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#resume()
    await this.#inner.close()
  }
}
