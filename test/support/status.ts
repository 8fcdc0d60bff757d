/** Waits for the status of a message. */
import type { Message, MessageStatus } from '../../lib/index.js'
import type { BrokerStage } from './each-broker.js'
import { until } from './memory.js'

/** The status at its end. */
export async function ended({ broker }: Pick<BrokerStage, 'broker'>, { messageId }: Message): Promise<MessageStatus> {
  const statuses = broker.watchStatus(messageId, { timeout: '20s' })
  for (;;) {
    const { done, value } = await statuses.next()
    if (done) return value
  }
}

/** The status once it runs. */
export async function running({ broker }: Pick<BrokerStage, 'broker'>, { messageId }: Message): Promise<MessageStatus> {
  await until(async () => (await broker.status(messageId)).state === 'running', 'the message to run')
  return broker.status(messageId)
}
