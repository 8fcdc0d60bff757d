/** Settles a message on the broker as the plugins decided, and sends what follows it in the same step. */
import type { Broker } from '../../broker.js'
import type { Consumer, Delivery } from '../../consumer.js'
import { BrokerError, HookFailed } from '../../errors.js'
import { loggable, summary } from '../../failure.js'
import { getLogger } from '../../logger.js'
import type { Message } from '../../message.js'
import type { Rejection } from '../../middleware.js'
import type { Entry, Outcome } from '../../outcome.js'
import { messageOf } from '../../thrown.js'
import { logFailure, reasonOf, reportSettlement, settlementOf } from './settlement-report.js'

/** A delivery that must be settled, the message in it, and where both come from. */
export interface UnsettledDelivery {
  readonly broker: Broker
  readonly consumer: Consumer
  readonly delivery: Delivery
  readonly message: Message
}

/** Settles a message by its outcome, in one step. */
export async function settle(
  unsettled: UnsettledDelivery,
  outcome: Outcome,
  settlement = settlementOf(outcome),
): Promise<void> {
  const { broker, consumer, delivery, message } = unsettled
  const { sends, error, decision } = outcome
  if (error) logFailure(message, outcome, error)
  if (decision === 'dead-letter') {
    const reason = outcome.reason ?? (error ? summary(error) : 'dead-lettered by a plugin')
    return deadLetter(unsettled, { reason, error }, outcome)
  }
  const before = broker.chain.emit('beforeAck', message, broker)
  if (before) await before
  if (sends.length === 0) await consumer.ack(delivery, sends)
  else await settleWithSends(unsettled, outcome, (entries) => consumer.ack(delivery, entries))
  await broker.chain.emit('afterAck', message, broker)
  await reportSettlement(broker, message, settlement)
}

/** Dead-letters a message. */
export async function deadLetter(
  unsettled: UnsettledDelivery,
  rejection: Rejection,
  outcome: Pick<Outcome, 'sends' | 'copy' | 'maxAttempts'> = noSends,
): Promise<void> {
  const { sends, maxAttempts } = outcome
  const { broker, consumer, delivery, message } = unsettled
  const reason = reasonOf(rejection)
  await broker.chain.emit('beforeNack', message, rejection, broker)
  if (sends.length === 0) await consumer.deadLetter(delivery, reason, sends)
  else await settleWithSends(unsettled, outcome, (entries) => consumer.deadLetter(delivery, reason, entries))
  await broker.chain.emit('afterNack', message, rejection, broker)
  await reportSettlement(broker, message, { decision: 'dead-letter', ...rejection, maxAttempts })
}

const noSends = { sends: [], copy: undefined, maxAttempts: undefined }

/**
 * Settles a message together with the messages that follow it. A message that can't be stored, however often it is
 * tried, is left out and logged: it must not undo the settlement.
 */
async function settleWithSends(
  unsettled: UnsettledDelivery,
  { sends, copy }: Pick<Outcome, 'sends' | 'copy'>,
  settleWith: (entries: readonly Entry[]) => Promise<void>,
): Promise<void> {
  const { broker } = unsettled
  let entries = sends
  try {
    await broker.beforeEnqueue(entries)
    await settleWith(entries)
  } catch (error) {
    if (error instanceof HookFailed || error instanceof BrokerError) throw error
    entries = withoutRefused(unsettled, sends, error)
    // The copy that is retried comes first. It is the message itself and can't be left out.
    if (entries.length === sends.length || (copy && entries[0] !== copy)) throw error
    await settleWith(entries)
  }
  await broker.afterEnqueue(entries)
}

function withoutRefused(
  { broker, message }: UnsettledDelivery,
  sends: readonly Entry[],
  error: unknown,
): readonly Entry[] {
  let refusals = sends.map((entry) => broker.refusal(entry))
  // The broker itself may have refused, for a reason only it knows: then everything but the message itself is left out.
  if (refusals.every((refusal) => refusal === undefined))
    refusals = sends.map(({ stored }) => (stored ? undefined : error))
  const { messageId, actorName, queueName } = message
  for (const [index, refusal] of refusals.entries()) {
    if (refusal === undefined) continue
    const next = sends[index]?.message?.actorName
    getLogger().error(
      { err: loggable(refusal), messageId, actorName, queueName, next },
      `What follows "${actorName}" was not sent, to "${next}"; the message itself is not affected. ${messageOf(refusal)}`,
    )
  }
  return sends.filter((_, index) => refusals[index] === undefined)
}
