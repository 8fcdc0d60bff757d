/** The broker of a pipeline or a group: the one it was given, or that of its first message. */
import type { Broker } from '../broker.js'
import { getBroker } from '../default-broker.js'
import type { Message } from '../message.js'

interface WithMessages {
  readonly messages: readonly Message[]
}

export function brokerOf(parts: readonly (Message | WithMessages)[], given: Broker | undefined): Broker {
  if (given) return given
  const [first] = parts
  const message = first && ('messages' in first ? first.messages[0] : first)
  return (message?.origin as Broker | undefined) ?? getBroker()
}
