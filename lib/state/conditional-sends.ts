/**
 * Messages that are sent with the end of another one, each on its conditions: a unique message that follows is stored only
 * if nothing holds its key. If its send stands for another message, its end counts for its group.
 */
import type { Broker } from '../broker.js'
import { endOfDeduplicated } from '../composition/arriving.js'
import type { Entry } from '../outcome.js'
import { isConditional, partOf, type SettlementPart, type StoragePart } from './steps.js'

/** The part that sends a message on conditions; `undefined` for one that has none. */
export function conditionalPart(entry: Entry, broker: Broker): SettlementPart | undefined {
  const parts = broker.chain.storageParts(entry.message, entry.delay, broker).filter(isConditional)
  // What can't be stored must not hold anything. Whoever stores the step leaves it out.
  if (parts.length === 0 || broker.refusal(storedAs(entry, parts)) !== undefined) return undefined
  return toPart(entry, parts, broker)
}

function storedAs(entry: Entry, parts: readonly StoragePart[]): Entry {
  const changed = parts.find((part) => part.entry)?.entry
  return changed ? { ...changed, stored: entry.stored } : entry
}

function toPart(entry: Entry, parts: readonly StoragePart[], broker: Broker): SettlementPart {
  return {
    changes: parts.flatMap(({ changes }) => changes),
    sends: [storedAs(entry, parts)],
    async refused(refusal) {
      const { part, index } = partOf(parts, refusal.index)
      const next = await parts[part]?.refused?.({ ...refusal, index })
      if (!next) return undefined
      if ('deduplicated' in next) return endOfDeduplicated(entry.message, next, broker)
      if (next.replaces === undefined) return toPart(entry, parts.with(part, next), broker)
      // No waiting message can be replaced in the step that settles another one. Replacing it twice changes nothing, so
      // it is done before.
      const [survivor] = (await broker.storeWithParts([entry])) ?? []
      return survivor && endOfDeduplicated(entry.message, survivor, broker)
    },
  }
}
