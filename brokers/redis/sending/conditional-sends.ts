/** Stores messages on conditions: each in one step with its changes of the state. */
import type { Refusal } from '../../../lib/state/changes.js'
import type { ConditionalEntry } from '../../../lib/state/steps.js'
import type { Destination, Keys } from '../keys.js'
import type { Argument } from '../scripts.js'
import { type EnqueueContext, enqueueRecord, packRecords } from './enqueue-records.js'
import { packChanges, readRefusal } from './state-changes.js'

/** Adds messages to the keys and arguments of a call of `enqueue-if.lua`. */
export function packConditional(
  entries: readonly ConditionalEntry[],
  context: EnqueueContext,
  keys: string[],
  args: Argument[],
): void {
  args.push(entries.length)
  const destinations = new Map<Destination, number>()
  const queues = new Map<string, number>()
  for (const { entry, others = [], changes, replaces } of entries) {
    args.push(changes.length)
    packChanges(changes, context.keys, keys, args)
    const place = replaces === undefined ? 0 : placeOf(entry.message.queueName, queues, context.keys, keys)
    const at = args.push(replaces ?? '', place, 0) - 1
    const records = [entry, ...others].map((one) => enqueueRecord(one, context))
    args[at] = packRecords(records, destinations, keys, args)
  }
}

/** The place of the keys of a queue from which a message may be removed. */
function placeOf(queueName: string, places: Map<string, number>, names: Keys, keys: string[]): number {
  const known = places.get(queueName)
  if (known !== undefined) return known
  const { messages, taken, delayed, delayedMessages, lists } = names.queue(queueName)
  const place = keys.length + 1
  keys.push(messages, taken, delayed, delayedMessages, ...lists)
  places.set(queueName, place)
  return place
}

/** Why each message was not stored. */
export function readRefusals(reply: unknown): (Refusal | undefined)[] {
  return (reply as unknown[]).map(readRefusal)
}
