/** Runs a prepared composition: first the records of its groups, then its first messages, all of them or none. */
import type { Broker, Survivors } from '../broker.js'
import { ConnectionFailed, EnqueueTimeout, StateMissing } from '../errors.js'
import type { Message } from '../message.js'
import type { StateChange } from '../state/changes.js'
import { messageOf } from '../thrown.js'
import { groupTtl, openRecords } from './group-record.js'
import { delayOf, placeOf } from './place.js'
import type { Started } from './prepare.js'

/** How many keys one step of the state changes. */
const batch = 1000

/** Stores what a composition begins with. Returns what became of its messages. */
export async function runStarted(
  { messages, records, barriers }: Started,
  broker: Broker,
  delay: number | undefined,
): Promise<{ readonly sent: readonly Message[]; readonly survivors: Survivors }> {
  const changes: StateChange[] = [
    ...openRecords(records, broker.clock.now(), delay),
    ...barriers.map(
      ([key, size]) => ({ kind: 'set', key, raw: true, value: `${size}`, ttl: groupTtl.open + (delay ?? 0) }) as const,
    ),
  ]
  await change(broker, changes)
  try {
    const entries = messages.map((message) => ({ message, delay: delayFrom(delay, message) }))
    const survivors = entries.length > 0 ? await broker.enqueueEntries(entries) : undefined
    return { sent: messages, survivors }
  } catch (error) {
    // Without a connection the messages may have been stored, or nothing can be removed.
    if (!(error instanceof ConnectionFailed || error instanceof EnqueueTimeout)) {
      const removals = changes.map((one) => ({ ...one, value: null }) as StateChange)
      await change(broker, removals).catch(() => {})
    }
    throw error
  }
}

async function change(broker: Broker, changes: readonly StateChange[]): Promise<void> {
  if (changes.length === 0) return
  const { state } = broker
  if (!state) throw new StateMissing('A group', broker.constructor.name)
  const timeout = broker.enqueueTimeout
  try {
    for (let from = 0; from < changes.length; from += batch)
      await state.apply(changes.slice(from, from + batch), { timeout })
  } catch (error) {
    if (!(error instanceof ConnectionFailed)) throw error
    throw new EnqueueTimeout(timeout, { cause: error, reason: messageOf(error.cause ?? error) })
  }
}

/** The delay of a message: the longer one, and for a deadline the sum. */
function delayFrom(start: number | undefined, message: Message): number | undefined {
  const own = delayOf(message)
  if (start === undefined || own === undefined) return start ?? own
  return placeOf(message)?.deadline_of === undefined ? Math.max(start, own) : start + own
}
