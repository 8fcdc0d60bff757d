/** Stores messages on conditions: each in one step with its changes of the state. */
import type { Refusal, StateChange } from '../../../lib/state/changes.js'
import type { Destination, Keys, QueueKeys } from '../keys.js'
import type { Argument } from '../scripts.js'
import { type EnqueueRecord, packRecords } from './enqueue-records.js'
import { packChanges } from './state-changes.js'

/** A message to be stored on conditions. */
export interface ConditionalSend {
  /** The message, and those that are stored with it. */
  readonly records: readonly EnqueueRecord[]
  readonly changes: readonly StateChange[]
  /** The handle of the message that it replaces, if it does. */
  readonly replaces: string | undefined
  /** The queue of that message. */
  readonly queue: QueueKeys
  /** Why it was not stored; known once the call has its reply. */
  refusal: Refusal | undefined
}

/** Adds messages to the keys and arguments of a call of `enqueue-if.lua`. */
export function packConditional(
  sends: readonly ConditionalSend[],
  names: Keys,
  keys: string[],
  args: Argument[],
): void {
  args.push(sends.length)
  const destinations = new Map<Destination, number>()
  const places = new Map<QueueKeys, number>()
  for (const { records, changes, replaces, queue } of sends) {
    args.push(changes.length)
    packChanges(changes, names, keys, args)
    const at = args.push(replaces ?? '', replaces === undefined ? 0 : placeOf(queue, places, keys), 0) - 1
    args[at] = packRecords(records, destinations, keys, args)
  }
}

/** The place of the keys of a queue from which a message may be removed. */
function placeOf(queue: QueueKeys, places: Map<QueueKeys, number>, keys: string[]): number {
  const known = places.get(queue)
  if (known !== undefined) return known
  const { messages, taken, delayed, delayedMessages, lists } = queue
  const place = keys.length + 1
  keys.push(messages, taken, delayed, delayedMessages, ...lists)
  places.set(queue, place)
  return place
}
