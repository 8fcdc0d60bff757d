/**
 * The two ends a message can come to, many messages a call: done with, or given up. Both store what is sent besides
 * in the same step, and do nothing at all for a message that isn't held any more.
 */
import type { DeadLetterReason } from '../../lib/consumer.js'
import { idArgument } from './ids.js'
import type { Place, QueueKeys } from './keys.js'
import type { Argument, Link } from './link.js'
import { type Parcel, pack } from './parcels.js'
import { script } from './scripts.js'

/** In bytes. All ids are UUIDs, unless a producer of another kind made them. */
const uuidLength = 36

/** Where messages are settled: on a queue, or on what Python delayed of it. */
export interface Source {
  readonly acks: string
  readonly bodies: string
  readonly queue: QueueKeys
}

export interface Settlement {
  /** One character a byte, see `ids.ts`. */
  readonly id: string
  /** Whether it had been delivered before, so that there is a count to forget. */
  readonly again: boolean
  readonly parcels: readonly Parcel[]
}

/** Done with. */
export async function settle(
  link: Link,
  { acks, bodies, queue }: Source,
  settlements: readonly Settlement[],
): Promise<void> {
  const keys = [acks, bodies, queue.taken, queue.deliveries, queue.begun]
  let ordinary = ''
  const others: Argument[] = []
  const senders: Settlement[] = []
  for (const settlement of settlements) {
    if (settlement.parcels.length > 0) senders.push(settlement)
    else if (settlement.again || settlement.id.length !== uuidLength) others.push(idArgument(settlement.id))
    else ordinary += settlement.id
  }
  const args: Argument[] = [idArgument(ordinary), others.length, ...others, senders.length]
  const places = new Map<Place, number>()
  for (const { id, parcels } of senders) {
    const at = args.push(idArgument(id), 0) - 1
    args[at] = pack(parcels, places, keys, args)
  }
  await link.run(script('ack'), keys, args)
}

/** Given up. */
export async function deadLetter(
  link: Link,
  { acks, bodies, queue }: Source,
  settlements: readonly (Settlement & { letter: DeadLetterReason })[],
  now: number,
): Promise<void> {
  const { taken, deliveries, begun, dead, deadMessages, deadReasons } = queue
  const keys = [acks, bodies, taken, deliveries, begun, dead, deadMessages, deadReasons]
  const args: Argument[] = [settlements.length]
  const places = new Map<Place, number>()
  for (const { id, parcels, letter } of settlements) {
    const { reason, traceback } = letter
    const at = args.push(idArgument(id), now, JSON.stringify({ reason, traceback }), 0) - 1
    args[at] = pack(parcels, places, keys, args)
  }
  await link.run(script('dead-letter'), keys, args)
}
