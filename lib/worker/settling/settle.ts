/** Settles a message on the broker as the plugins decided, and sends what follows it in the same step. */
import type { Broker } from '../../broker.js'
import type { DeadLetterReason } from '../../consumer.js'
import { BrokerError, HookFailed } from '../../errors.js'
import { loggable, summary } from '../../failure.js'
import { getLogger } from '../../logger.js'
import type { Rejection } from '../../middleware.js'
import type { Entry, Outcome } from '../../outcome.js'
import type { Settlement } from '../../settlement.js'
import { messageOf } from '../../thrown.js'
import { settleWithState } from './settle-with-state.js'
import { attemptOf, logFailure, reasonOf, reportSettlement, settlementOf } from './settlement-report.js'
import type { UnsettledDelivery } from './unsettled-delivery.js'

/** Settles a message by its outcome, in one step. */
export async function settle(
  unsettled: UnsettledDelivery,
  outcome: Outcome,
  settlement = settlementOf(outcome),
): Promise<void> {
  const { broker, message } = unsettled
  const { error, decision } = outcome
  const failure = outcome.cancellation ?? error
  if (failure) logFailure(message, outcome, failure)
  if (decision === 'dead-letter') {
    const reason = outcome.reason ?? (error ? summary(error) : 'dead-lettered by a plugin')
    return deadLetter(unsettled, { reason, error }, outcome)
  }
  const before = broker.chain.emit('beforeAck', message, broker)
  if (before) await before
  await settleInOneStep(unsettled, outcome, { attempt: attemptOf(message), ...settlement }, undefined)
  await broker.chain.emit('afterAck', message, broker)
  const { cancellation } = outcome
  if (cancellation) await broker.chain.emit('afterMessageCancelled', message, cancellation, broker)
  await reportSettlement(broker, message, settlement)
}

/** Dead-letters a message. */
export async function deadLetter(
  unsettled: UnsettledDelivery,
  rejection: Rejection,
  outcome: Pick<Outcome, 'sends' | 'copy' | 'maxAttempts'> = noSends,
): Promise<void> {
  const { broker, message } = unsettled
  const { maxAttempts } = outcome
  const settlement = { decision: 'dead-letter', ...rejection, maxAttempts } as const
  await broker.chain.emit('beforeNack', message, rejection, broker)
  await settleInOneStep(unsettled, outcome, { attempt: attemptOf(message), ...settlement }, reasonOf(rejection))
  await broker.chain.emit('afterNack', message, rejection, broker)
  await reportSettlement(broker, message, settlement)
}

/** Dead-letters a message although a hook before that failed: its lock is released and its group learns of its end. */
export async function deadLetterAnyway(unsettled: UnsettledDelivery, rejection: Rejection): Promise<void> {
  const { broker, consumer, delivery, message } = unsettled
  const settlement = { decision: 'dead-letter', ...rejection } as const
  const letter = reasonOf(rejection)
  try {
    await settleInOneStep(unsettled, noSends, { attempt: attemptOf(message), ...settlement }, letter)
  } catch (error) {
    if (!(error instanceof HookFailed)) throw error
    await consumer.deadLetter(delivery, letter, [])
  }
  await reportSettlement(broker, message, settlement)
}

const noSends = { sends: [], copy: undefined, maxAttempts: undefined }

async function settleInOneStep(
  unsettled: UnsettledDelivery,
  { sends, copy }: Pick<Outcome, 'sends' | 'copy'>,
  settlement: Settlement,
  letter: DeadLetterReason | undefined,
): Promise<void> {
  const { broker, consumer, delivery, message } = unsettled
  const actor = broker.actors.get(message.actorName)
  if (broker.chain.joinsSettlement(message, actor) || sendsWithState(broker, sends, copy)) {
    return settleWithState(unsettled, { sends, copy, settlement, letter, settleWithSends })
  }
  const store = (entries: readonly Entry[]): Promise<void> =>
    letter ? consumer.deadLetter(delivery, letter, entries) : consumer.ack(delivery, entries)
  if (sends.length === 0) await store(sends)
  else await settleWithSends(unsettled, { sends, copy }, store)
}

/** Whether storing one of the messages that follow changes the state. The copy of the message itself does not. */
function sendsWithState(broker: Broker, sends: readonly Entry[], copy: Entry | undefined): boolean {
  return sends.some((one) => one !== copy && broker.chain.storageParts(one.message, one.delay, broker).length > 0)
}

/**
 * Settles a message together with the messages that follow it. A message that can't be stored, however often it is
 * tried, is left out and logged: it must not undo the settlement. Returns what `settleWith` returns: nothing once it is
 * settled.
 */
async function settleWithSends<T>(
  unsettled: UnsettledDelivery,
  { sends, copy }: Pick<Outcome, 'sends' | 'copy'>,
  settleWith: (entries: readonly Entry[]) => Promise<T>,
): Promise<T> {
  const { broker } = unsettled
  let entries = sends
  let settled: T
  try {
    await broker.beforeEnqueue(entries)
    settled = await settleWith(entries)
  } catch (error) {
    if (error instanceof HookFailed || error instanceof BrokerError) throw error
    entries = withoutRefused(unsettled, sends, error)
    // The copy that is retried comes first. It is the message itself and can't be left out.
    if (entries.length === sends.length || (copy && entries[0] !== copy)) throw error
    settled = await settleWith(entries)
  }
  // A refusal: nothing was stored.
  if (settled === undefined) await broker.afterEnqueue(entries)
  return settled
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
