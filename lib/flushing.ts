/**
 * The ends of messages that are flushed: what plugins do in the step that settles a message (a unique key is freed, a
 * group hears of its member, the status is recorded) is done for them, too.
 */
import type { Broker } from './broker.js'
import { storeStep } from './composition/end-outside.js'
import type { QueueSearch } from './consumer.js'
import { Message } from './message.js'
import { countOf } from './options.js'
import { conditionalPart } from './state/conditional-sends.js'
import { SettlementStep } from './state/steps.js'

/** The messages of a queue with whose ends plugins do something. */
export async function messagesWithEnds(broker: Broker, queues: QueueSearch, queueName: string): Promise<Message[]> {
  const found = new Map<string, Message>()
  if (!broker.chain.has('beforeStoreSettlement')) return []
  for await (const page of queues.scan(queueName, {})) {
    for (const { body } of page) {
      const message = decode(body)
      if (!message || !broker.chain.joinsSettlement(message, broker.actors.get(message.actorName))) continue
      found.set(message.messageId, message)
    }
  }
  return [...found.values()]
}

/** Ends messages that were removed from their queue. */
export async function endFlushed(broker: Broker, messages: readonly Message[]): Promise<void> {
  for (const message of messages) {
    const step = new SettlementStep(undefined, [], (entry) => conditionalPart(entry, broker))
    const settlement = { decision: 'flush', attempt: countOf(message, 'retries') + 1, reason: 'flushed' } as const
    const chain = broker.chain.forMessage(message, broker.actors.get(message.actorName))
    await chain.emit('beforeStoreSettlement', message, settlement, step, broker)
    await storeStep(broker, step)
  }
}

function decode(body: Parameters<typeof Message.decode>[0]): Message | undefined {
  try {
    return Message.decode(body)
  } catch {
    // Not a message: nothing follows its end.
    return undefined
  }
}
