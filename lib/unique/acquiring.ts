/** Acquires the lock of a unique message in the step that stores it, or finds the message that holds it. */
import { placeOptionsOf, withPlace } from '../composition/place.js'
import type { Message } from '../message.js'
import type { Entry } from '../outcome.js'
import type { StateBackend } from '../state/backend.js'
import type { Refusal, StateChange } from '../state/changes.js'
import type { StoragePart } from '../state/steps.js'
import type { Survivor } from '../state/survivor.js'
import { uuid } from '../uuid.js'
import { decodeLock, encodeLock, type Lock, lockKey } from './lock.js'
import type { UniqueMessage } from './option.js'

/** How often a lock that keeps changing is tried again. */
const maxAttempts = 100

/** A message that is being sent. */
interface Send {
  readonly message: Message
  readonly delay: number | undefined
  readonly unique: UniqueMessage
  readonly state: StateBackend
}

export function acquire(
  message: Message,
  delay: number | undefined,
  unique: UniqueMessage,
  state: StateBackend,
): StoragePart {
  return storeNew({ message, delay, unique, state })
}

/** Stores the message if nothing holds the key. */
function storeNew(send: Send): StoragePart {
  const entry = entryOf(send, send.message.messageId)
  const { messageId } = entry.message
  return {
    entry,
    changes: [lock(send, null, { id: messageId, handle: entry.handle, place: placeOptionsOf(entry.message) })],
    orderKey: orderKeyOf(send),
    refused: ({ value }) => onHeld(send, value),
  }
}

/** The key is held, or was until now. */
async function onHeld(send: Send, value: string | undefined): Promise<StoragePart | Survivor> {
  if (value === undefined) return storeNew(send)
  const held = decodeLock(value)
  if (send.unique.on_duplicate === 'skip') return { messageId: held.id, deduplicated: 'skipped' }
  // It waits for a retry, and a sender waits for the message that runs next.
  if (send.unique.on_duplicate === 'rerun' && held.next) return onRunning(send, value, held)
  return replaceWaiting(send, value, held)
}

/** Stores the message in place of the one that holds the key, if that still waits. It keeps the id of that one. */
function replaceWaiting(send: Send, value: string, held: Lock): StoragePart {
  const entry = entryOf(send, held.id, held.place)
  return {
    entry,
    replaces: held.handle,
    changes: [lock(send, value, { ...held, handle: entry.handle, place: placeOptionsOf(entry.message) })],
    orderKey: orderKeyOf(send),
    refused: (refusal) => (refusal.index < 0 ? onRunning(send, value, held) : onHeld(send, refusal.value)),
  }
}

/** The message that holds the key runs. */
async function onRunning(send: Send, value: string, held: Lock): Promise<StoragePart | Survivor> {
  if (send.unique.on_duplicate === 'replace') return { messageId: held.id, deduplicated: 'skipped' }
  let [current, now]: [string, Lock] = [value, held]
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const messageId = now.next?.message_id ?? send.message.messageId
    const next = send.message.with({ messageId }).toWire()
    const refusal: Refusal | undefined = await send.state.apply([lock(send, current, { ...now, next })])
    if (!refusal) return { messageId, deduplicated: 'rerun' }
    if (refusal.value === undefined) return storeNew(send)
    const changed = decodeLock(refusal.value)
    // Another message holds it, or the same one waits again for a retry.
    if (changed.handle !== now.handle) return onHeld(send, refusal.value)
    current = refusal.value
    now = changed
  }
  return onHeld(send, current)
}

/** Sends that change the message that waits; those that are only skipped need no order. */
function orderKeyOf({ unique }: Send): string | undefined {
  return unique.on_duplicate === 'skip' ? undefined : unique.key
}

/** The message as it is stored: under a handle that it carries, so that its end can name what it holds. */
function entryOf(
  { message, delay, unique }: Send,
  messageId: string,
  place?: Lock['place'],
): Entry & { readonly handle: string } {
  const handle = uuid()
  const placed = place ? withPlace(message.options, place) : message.options
  const options = { ...placed, unique: { ...unique, handle } }
  return { message: message.with({ messageId, options }), delay, handle }
}

function lock({ unique, delay = 0 }: Send, expected: string | null, held: Lock): StateChange {
  return { kind: 'set', key: lockKey(unique.key), expected, value: encodeLock(held), ttl: delay + unique.ttl }
}
