/** What is settled. */
import type { Broker } from '../../broker.js'
import type { Consumer, Delivery } from '../../consumer.js'
import type { Message } from '../../message.js'

/** A consumer that retries each settlement until it succeeds. */
export interface SettlingConsumer extends Consumer {
  /** Retries what else a settlement needs, such as a read of the state, as long as the store can't be reached. */
  untilSettled<T>(attempt: () => Promise<T>): Promise<T>
}

/** A delivery that must be settled, the message in it, and where both come from. */
export interface UnsettledDelivery {
  readonly broker: Broker
  readonly consumer: SettlingConsumer
  readonly delivery: Delivery
  readonly message: Message
}
