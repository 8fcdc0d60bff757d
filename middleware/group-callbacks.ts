/**
 * Counts the ends of the members of groups, and sends what follows a group with the end of its last member: the messages
 * of `onComplete` or `onFailure`, the next step of its pipeline. It also completes groups that Python has sent.
 */

import type { Broker } from '../lib/broker.js'
import { arrive } from '../lib/composition/arriving.js'
import { arriveAtBarrier } from '../lib/composition/dramatiq-groups.js'
import { endElsewhere } from '../lib/composition/ending-elsewhere.js'
import { expire } from '../lib/composition/expiring.js'
import { continues, membershipOf, placeOf } from '../lib/composition/place.js'
import { SkipMessage } from '../lib/errors.js'
import type { Message } from '../lib/message.js'
import type { Middleware } from '../lib/middleware.js'
import type { PendingSettlement } from '../lib/settlement.js'
import type { SettlementStep } from '../lib/state/steps.js'

export class GroupCallbacks implements Middleware {
  readonly essential = true
  readonly onlyWithOptions = ['composition', 'group_completion_uuid']

  /** The message of a deadline is skipped if the group has ended in time, and a callback if the group has failed. */
  beforeProcessMessage(message: Message, broker: Broker): Promise<void> | undefined {
    const place = placeOf(message)
    if (!place) return undefined
    const { deadline_of: deadlineOf, callback_of: callbackOf } = place
    if (typeof deadlineOf === 'string') return refuseInTime(deadlineOf, message, broker)
    return typeof callbackOf === 'string' ? endElsewhere(callbackOf, broker) : undefined
  }

  joinsSettlement(message: Message): boolean {
    return message.option('composition') !== undefined || message.option('group_completion_uuid') !== undefined
  }

  beforeStoreSettlement(message: Message, settlement: PendingSettlement, step: SettlementStep, broker: Broker): void {
    const { decision, result } = settlement
    if (decision === 'retry' || decision === 'requeue') return
    const membership = membershipOf(message)
    const succeeded = decision === 'ack' || decision === 'skip'
    if (decision === 'ack' && continues(message)) return
    if (membership) {
      step.add(arrive({ membership, messageId: message.messageId, failed: !succeeded, result }, broker))
    } else if (succeeded && message.option('group_completion_uuid') !== undefined) {
      arriveAtBarrier(message, step, broker)
    }
  }
}

async function refuseInTime(group: string, { messageId }: Message, broker: Broker): Promise<void> {
  // An earlier delivery of this message may have ended the group.
  if ((await expire(group, messageId, broker)) !== 'expired')
    throw new SkipMessage('The group has ended before its deadline.')
}
