/** What is settled. */
import type { Broker } from '../../broker.js'
import type { Consumer, Delivery } from '../../consumer.js'
import type { Message } from '../../message.js'

/** A delivery that must be settled, the message in it, and where both come from. */
export interface UnsettledDelivery {
  readonly broker: Broker
  readonly consumer: Consumer
  readonly delivery: Delivery
  readonly message: Message
}
