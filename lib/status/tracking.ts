/** Which messages are tracked, and what is recorded of one when it is sent. */
import type { Broker } from '../broker.js'
import type { Message } from '../message.js'
import type { AnyActor } from '../middleware.js'
import { countOf } from '../options.js'
import type { SetChange } from '../state/changes.js'
import { encodeStatus, type MessageStatus, statusKey } from './status.js'

/**
 * Whether a message is tracked: as it says itself, else as its actor says.
 * @param actor Its actor, where a message may come from a sender that doesn't know the option.
 */
export function isTracked(message: Message, actor: AnyActor | undefined, fallback: boolean): boolean {
  const own = message.option('track_status') ?? actor?.options.trackStatus
  return own === undefined ? fallback : own === true
}

/** How long a record is kept after its message was due, in milliseconds: a safety net for messages that are lost. */
const waitingTtl = 604_800_000

/** Records the status of a message that waits or runs. @param status.dueAt When it may run, if that is later. */
export function recordWaiting(status: MessageStatus, now: number): SetChange {
  return record(status, Math.max(0, (status.dueAt ?? now) - now) + waitingTtl)
}

/** Records a status. @param ttl How long it is kept, in milliseconds. */
export function record(status: MessageStatus, ttl: number): SetChange {
  return { kind: 'set', key: statusKey(status.messageId), value: encodeStatus(status), ttl, notify: true }
}

/** The status of a message that is stored. */
export function queuedStatus(message: Message, delay: number | undefined, broker: Broker): MessageStatus {
  const now = broker.clock.now()
  const { messageId, actorName, queueName } = message
  return {
    state: delay ? 'delayed' : 'queued',
    messageId,
    actorName,
    queueName,
    attempt: countOf(message, 'retries') + 1,
    maxAttempts: maxAttemptsOf(message, broker),
    queuedAt: now,
    dueAt: delay ? now + delay : undefined,
  }
}

/** The maximum number of attempts, if the actor is known here and has one. */
function maxAttemptsOf(message: Message, broker: Broker): number | undefined {
  const actor = broker.actors.get(message.actorName)
  if (!actor || actor.options.retryWhen !== undefined) return undefined
  // A delivery that is lost with its worker counts as an attempt does.
  const maxAttempts = broker.chain.maxDeliveries(message, actor) + countOf(message, 'retries')
  return Number.isFinite(maxAttempts) ? maxAttempts : undefined
}
