/**
 * One queue of a worker: its consumer, with settlements that are tried until they work, and the count of what is open.
 */
import type { Consumer, Delivery } from '../consumer.js'
import { BrokerClosed } from '../errors.js'
import { getLogger } from '../logger.js'
import { Acknowledger } from './acknowledger.js'
import { isFinal, persist } from './consumer-loop.js'
import type { Desk } from './execution.js'
import { Trouble } from './trouble.js'

export interface LaneEvents {
  /** An actor is through; there may be room for the next message. */
  readonly ran: () => void
  /** A message is settled, or never will be from here. */
  readonly settled: () => void
  /** So many messages more don't count as held. */
  readonly setAside: (more: number) => void
  /** Aborts, with a `BrokerClosed`, what is tried over and over. */
  readonly givingUp: AbortSignal
}

export class Lane implements Desk {
  readonly consumer: Consumer
  readonly #acknowledger: Acknowledger
  readonly ran: () => void
  readonly settled: () => void
  readonly setAside: (more: number) => void

  constructor(consumer: Consumer, { ran, settled, setAside, givingUp }: LaneEvents) {
    this.ran = ran
    this.settled = settled
    this.setAside = setAside
    this.consumer = persistent(consumer, givingUp)
    this.#acknowledger = new Acknowledger(consumer, settled, (delivery, error) => void this.#again(delivery, error))
  }

  acknowledge(delivery: Delivery): void {
    this.#acknowledger.acknowledge(delivery)
  }

  /** Gives back what wasn't started. */
  async giveBack(delivery: Delivery): Promise<void> {
    const { queueName } = this.consumer
    try {
      await this.consumer.requeue(delivery)
    } catch (error) {
      const text = 'A message could not be given back; others get it when this worker is gone'
      getLogger().warn({ err: error, queueName }, text)
    }
    this.settled()
  }

  async #again(delivery: Delivery, first: unknown): Promise<void> {
    const { queueName } = this.consumer
    try {
      if (isFinal(first)) throw first
      await this.consumer.ack(delivery, [])
    } catch (error) {
      if (!(error instanceof BrokerClosed)) {
        getLogger().error({ err: error, queueName }, 'A message could not be acknowledged; it will be delivered again')
      }
    }
    this.settled()
  }
}

/** A consumer whose settlements are tried until they work. */
function persistent(consumer: Consumer, givingUp: AbortSignal): Consumer {
  const { queueName } = consumer
  const texts = {
    failing: `Can't settle messages of "${queueName}"`,
    over: `Settling messages of "${queueName}" again`,
  }
  const trouble = new Trouble(texts, { queueName })
  const again = async (settle: () => Promise<void>): Promise<void> => {
    const attempt = async (): Promise<void> => {
      try {
        await settle()
      } catch (error) {
        if (!isFinal(error) && !givingUp.aborted) trouble.failed(error)
        throw error
      }
    }
    await persist(attempt, givingUp)
    trouble.over()
  }
  const insist = async (settle: () => Promise<void>): Promise<void> => {
    try {
      await settle()
    } catch (error) {
      if (isFinal(error)) throw error
      trouble.failed(error)
      await again(settle)
    }
  }
  return {
    queueName: consumer.queueName,
    take: (limit) => consumer.take(limit),
    begin: (delivery) => insist(() => consumer.begin(delivery)),
    ack: (delivery, sends) => insist(() => consumer.ack(delivery, sends)),
    deadLetter: (delivery, reason, sends) => insist(() => consumer.deadLetter(delivery, reason, sends)),
    requeue: (delivery, how) => insist(() => consumer.requeue(delivery, how)),
    close: () => consumer.close(),
  }
}
