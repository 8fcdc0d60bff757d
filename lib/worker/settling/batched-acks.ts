/**
 * Acknowledges successful deliveries in batches. A broker returns the same promise for every delivery of a batch, so
 * that one `then` per batch is enough.
 */
import type { Consumer, Delivery } from '../../consumer.js'
import type { Entry } from '../../outcome.js'

interface Batch {
  readonly promise: Promise<void>
  readonly deliveries: Delivery[]
}

const noSends: readonly Entry[] = []

export class BatchedAcks {
  #batch: Batch | undefined

  constructor(
    private readonly consumer: Consumer,
    /** Called for each delivery that was acknowledged. */
    private readonly settled: () => void,
    /**
     * Called with the error for each delivery that could not be acknowledged. It must make sure that the delivery is
     * settled.
     */
    private readonly failed: (delivery: Delivery, error: unknown) => void,
  ) {}

  acknowledge(delivery: Delivery): void {
    const promise = this.#ack(delivery)
    if (this.#batch?.promise === promise) return void this.#batch.deliveries.push(delivery)
    const batch: Batch = { promise, deliveries: [delivery] }
    this.#batch = batch
    promise.then(
      () => {
        this.#close(batch)
        for (let count = batch.deliveries.length; count > 0; count--) this.settled()
      },
      (error) => {
        this.#close(batch)
        for (const one of batch.deliveries) this.failed(one, error)
      },
    )
  }

  #ack(delivery: Delivery): Promise<void> {
    try {
      return this.consumer.ack(delivery, noSends)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #close(batch: Batch): void {
    if (this.#batch === batch) this.#batch = undefined
  }
}
