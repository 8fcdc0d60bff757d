/**
 * Acknowledges and dead-letters messages, many in one call. Both store follow-up messages in the same atomic step. For
 * a message that this worker no longer holds, both do nothing at all.
 */
import type { DeadLetterReason } from '../../../lib/consumer.js'
import type { Refusal, StateChange } from '../../../lib/state/changes.js'
import type { CommandConnection } from '../connection/command-connection.js'
import { idArgument } from '../ids.js'
import type { Destination, Keys, QueueKeys } from '../keys.js'
import type { Argument } from '../scripts.js'
import { script } from '../scripts.js'
import { type EnqueueRecord, packRecords } from '../sending/enqueue-records.js'
import { packChanges, readRefusals } from '../sending/state-changes.js'

/** In bytes. All ids are UUIDs, unless a producer of another kind made them. */
const uuidLength = 36

/** The keys of the place where messages are settled: a queue, or its Python delay queue. */
export interface SettlementKeys {
  readonly acks: string
  readonly bodies: string
  readonly queue: QueueKeys
}

export interface Settlement {
  /** One character a byte, see `ids.ts`. */
  readonly id: string
  /** Whether it had been delivered before, so that a delivery count has to be deleted. */
  readonly redelivered: boolean
  readonly records: readonly EnqueueRecord[]
}

/** Acknowledges messages. */
export async function acknowledge(
  connection: CommandConnection,
  { acks, bodies, queue }: SettlementKeys,
  settlements: readonly Settlement[],
): Promise<void> {
  const keys = [acks, bodies, queue.taken, queue.deliveries, queue.begun]
  let ordinary = ''
  const redelivered: Argument[] = []
  const senders: Settlement[] = []
  for (const settlement of settlements) {
    if (settlement.records.length > 0) senders.push(settlement)
    else if (settlement.redelivered || settlement.id.length !== uuidLength) redelivered.push(idArgument(settlement.id))
    else ordinary += settlement.id
  }
  const args: Argument[] = [idArgument(ordinary), redelivered.length, ...redelivered, senders.length]
  const destinations = new Map<Destination, number>()
  for (const { id, records } of senders) {
    const at = args.push(idArgument(id), 0) - 1
    args[at] = packRecords(records, destinations, keys, args)
  }
  await connection.run(script('ack'), keys, args)
}

/** Moves messages to the dead letters. */
export async function deadLetter(
  connection: CommandConnection,
  { acks, bodies, queue }: SettlementKeys,
  settlements: readonly (Settlement & { letter: DeadLetterReason })[],
  now: number,
): Promise<void> {
  const { taken, deliveries, begun, dead, deadMessages, deadReasons } = queue
  const keys = [acks, bodies, taken, deliveries, begun, dead, deadMessages, deadReasons]
  const args: Argument[] = [settlements.length]
  const destinations = new Map<Destination, number>()
  for (const { id, records, letter } of settlements) {
    const { reason, traceback } = letter
    const at = args.push(idArgument(id), now, JSON.stringify({ reason, traceback }), 0) - 1
    args[at] = packRecords(records, destinations, keys, args)
  }
  await connection.run(script('dead-letter'), keys, args)
}

/** A settlement that also changes the state. */
export interface SettlementWithState extends Omit<Settlement, 'redelivered'> {
  readonly letter: DeadLetterReason | undefined
  readonly changes: readonly StateChange[]
  /** What was refused, if nothing was done; known once the call has its reply. */
  refusal: Refusal | undefined
}

/**
 * Settles messages and changes the state in the same step: each of them with all of its changes, or not at all.
 * @param names Names the keys of the state.
 */
export async function settleWithState(
  connection: CommandConnection,
  { acks, bodies, queue }: SettlementKeys,
  settlements: readonly SettlementWithState[],
  { names, now }: { names: Keys; now: number },
): Promise<void> {
  const { taken, deliveries, begun, dead, deadMessages, deadReasons } = queue
  const keys = [acks, bodies, taken, deliveries, begun, dead, deadMessages, deadReasons]
  const args: Argument[] = [now, settlements.length]
  const destinations = new Map<Destination, number>()
  for (const { id, records, letter, changes } of settlements) {
    const reason = letter ? JSON.stringify({ reason: letter.reason, traceback: letter.traceback }) : ''
    args.push(idArgument(id), reason, changes.length)
    packChanges(changes, names, keys, args)
    const at = args.push(0) - 1
    args[at] = packRecords(records, destinations, keys, args)
  }
  const refusals = readRefusals(await connection.run(script('settle'), keys, args))
  for (const [index, settlement] of settlements.entries()) settlement.refusal = refusals[index]
}
