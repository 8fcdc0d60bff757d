/** A worker without middleware, for tests of the broker. */
import type { RedisBroker } from '../../brokers/redis/index.js'
import type { Consumer } from '../../lib/consumer.js'
import { nameOf, queueName } from '../../testing/contract/brokers/exam.js'

/** Consumes the queue of the contract as a worker does, and acknowledges: what fails is retried. */
export function consumeAll(broker: RedisBroker): { seen: unknown[]; close: () => Promise<void> } {
  const seen: unknown[] = []
  let closed = false
  const again = async (what: () => Promise<unknown>): Promise<void> => {
    while (!closed) {
      try {
        return void (await what())
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
  }
  const consumer: Consumer = broker.consume(queueName, { prefetch: 10 })
  const running = (async () => {
    while (!closed) {
      await again(async () => {
        for (const delivery of await consumer.take(10)) {
          seen.push(nameOf(delivery))
          await again(() => consumer.ack(delivery, []))
        }
      })
    }
  })()
  const close = async (): Promise<void> => {
    closed = true
    await consumer.close()
    await running
    await broker.close()
  }
  return { seen, close }
}
