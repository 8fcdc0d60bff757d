/** Releases the lock of a unique message with its end, or keeps it for a retry. Only the owner releases it. */
import { placeOptionsOf } from '../composition/place.js'
import { Message } from '../message.js'
import type { StateBackend } from '../state/backend.js'
import type { StateChange } from '../state/changes.js'
import type { SettlementPart, SettlementStep } from '../state/steps.js'
import { uuid } from '../uuid.js'
import { decodeLock, encodeLock, type Lock, lockKey } from './lock.js'
import type { UniqueMessage } from './option.js'

/** The lock as the message has left it, if nothing runs after it. */
function ownLock(message: Message, { handle = '' }: UniqueMessage): string {
  return encodeLock({ id: message.messageId, handle, place: placeOptionsOf(message) })
}

/** The lock, if it is held by this message as it was stored last. */
function heldBy({ messageId }: Message, { handle }: UniqueMessage, value: string | undefined): Lock | undefined {
  const lock = value === undefined ? undefined : decodeLock(value)
  return lock?.id === messageId && lock.handle === handle ? lock : undefined
}

/**
 * Releases the lock in the step that settles the message. If another message runs next, that one takes it over.
 * @param continues Whether that message is sent. One whose queue is flushed goes with it.
 */
export function release(
  message: Message,
  unique: UniqueMessage,
  continues: boolean,
  value = ownLock(message, unique),
): SettlementPart {
  const { next } = decodeLock(value)
  const refused: SettlementPart['refused'] = ({ value: current }) =>
    current !== undefined && heldBy(message, unique, current) ? release(message, unique, continues, current) : undefined
  if (!next || !continues) return { changes: [setLock(unique, value, null, 0)], refused }
  const handle = uuid()
  const successor = Message.fromWire(next)
  const options = { ...successor.options, unique: { ...unique, handle } }
  const lock = encodeLock({ id: successor.messageId, handle, place: placeOptionsOf(successor) })
  return {
    changes: [setLock(unique, value, lock, unique.ttl)],
    sends: [{ message: successor.with({ options }), handle }],
    refused,
  }
}

/** Releases the lock before the actor runs. */
export async function releaseAtStart(message: Message, unique: UniqueMessage, state: StateBackend): Promise<void> {
  await state.apply([setLock(unique, ownLock(message, unique), null, 0)])
}

/** Keeps the lock while the message waits for a retry, under the handle of the copy. */
export function keepForRetry(message: Message, unique: UniqueMessage, step: SettlementStep, delay: number): void {
  const { copy } = step
  if (!copy) return
  const handle = uuid()
  const options = { ...copy.message.options, unique: { ...unique, handle } }
  step.copy = { ...copy, message: copy.message.with({ options }), handle }
  const lock: Lock = { id: message.messageId, handle, place: placeOptionsOf(message) }
  const keep = (value: string, next: Lock['next']): SettlementPart => ({
    changes: [setLock(unique, value, encodeLock({ ...lock, next }), delay + unique.ttl)],
    refused({ value: current }) {
      const held = heldBy(message, unique, current)
      return held && current !== undefined ? keep(current, held.next) : undefined
    },
  })
  step.add(keep(ownLock(message, unique), undefined))
}

function setLock({ key }: UniqueMessage, expected: string, value: string | null, ttl: number): StateChange {
  return { kind: 'set', key: lockKey(key), expected, value, ttl }
}
