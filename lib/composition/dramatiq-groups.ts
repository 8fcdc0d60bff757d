/**
 * Groups that Python has sent: Dramatiq's barrier, a counter, says which member is the last. Our set of ended messages
 * beside it makes each of them count once, and both change in the step that settles the message.
 *
 * The barrier must be in the store of our state: in the same Redis as the messages.
 */
import type { Broker } from '../broker.js'
import { getLogger } from '../logger.js'
import { Message } from '../message.js'
import type { StateChange } from '../state/changes.js'
import type { SettlementStep } from '../state/steps.js'
import { messageOf } from '../thrown.js'
import { lowerBarrier } from './arriving.js'
import { groupKeys, groupTtl } from './group-record.js'

/** Counts the success of a member; only that counts in Dramatiq. */
export function arriveAtBarrier(message: Message, step: SettlementStep, { state }: Broker): void {
  const uuid = message.option('group_completion_uuid')
  const callbacks = message.option('group_completion_callbacks')
  // Without state there can be no barrier. Python also completes only groups that have callbacks.
  if (!state || typeof uuid !== 'string' || !Array.isArray(callbacks) || callbacks.length === 0) return
  const { messageId } = message
  const ended: StateChange = {
    kind: 'add',
    key: groupKeys.ended(uuid),
    member: messageId,
    once: true,
    ttl: groupTtl.open,
  }
  step.add({
    changes: [ended, lowerBarrier(uuid)],
    refused: ({ isMember }) => (isMember ? undefined : { changes: [ended], sends: messagesOf(callbacks, message) }),
  })
}

/** The callbacks that are messages. One that isn't must not keep the member from being settled. */
function messagesOf(callbacks: readonly unknown[], { messageId, actorName }: Message): { message: Message }[] {
  return callbacks.flatMap((wire) => {
    try {
      return [{ message: Message.fromWire(wire) }]
    } catch (error) {
      const text = `A completion callback of a group is not a message, and not sent: ${messageOf(error)}`
      getLogger().error({ messageId, actorName }, text)
      return []
    }
  })
}
