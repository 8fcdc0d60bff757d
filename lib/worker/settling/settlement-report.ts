/**
 * The last word on a delivery: the hook for those who want to know what became of it, and a line at debug.
 */
import type { Broker } from '../../broker.js'
import { Retry } from '../../errors.js'
import { loggable, summary, tracebackToKeep } from '../../failure.js'
import { getLogger, isDebugEnabled } from '../../logger.js'
import type { Message } from '../../message.js'
import type { Rejection } from '../../middleware.js'
import { countOf } from '../../options.js'
import type { Outcome } from '../../outcome.js'
import { waitsOf } from '../../rate-limits/postponement.js'
import type { Settlement } from '../../settlement.js'
import { cut } from '../../thrown.js'
import { showDuration } from '../../time.js'

/** When messages began, kept while debug is on. */
const startTimes = new WeakMap<Message, number>()

/** Called before anything is done for a message, while debug is on. */
export function noteStart(message: Message): void {
  startTimes.set(message, performance.now())
}

/** Which attempt a message is, from 1. */
export function attemptOf(message: Message): number {
  return countOf(message, 'retries') + 1
}

/** Tells everybody who asked, once the broker has stored it. */
export async function reportSettlement(
  broker: Broker,
  message: Message,
  what: Omit<Settlement, 'attempt'>,
): Promise<void> {
  if (isDebugEnabled()) logSettlement(message, what.decision)
  const { chain } = broker
  if (!chain.has('afterSettleMessage')) return
  await chain.emit('afterSettleMessage', message, { attempt: attemptOf(message), ...what }, broker)
}

/** What an outcome came to. */
export function settlementOf(outcome: Outcome): Omit<Settlement, 'attempt'> {
  const { decision, result, error, reason, delay, maxAttempts } = outcome
  if (decision === 'ack') return { decision, result }
  if (outcome.postponed) return { decision: 'requeue', error, reason: error?.message, delay }
  return { decision, error, reason, delay, maxAttempts }
}

const decisionTexts: Readonly<Record<Settlement['decision'], string>> = {
  ack: 'Done',
  retry: 'Failed, to be retried',
  'dead-letter': 'Dead-lettered',
  skip: 'Skipped',
  requeue: 'Back on its queue',
}

/** The one line that every message gets at debug. */
export function logSettlement(message: Message, decision: Settlement['decision']): void {
  const { messageId, actorName, queueName } = message
  const startTime = startTimes.get(message)
  const duration = startTime === undefined ? undefined : Math.round(performance.now() - startTime)
  const fields = { messageId, actorName, queueName, attempt: attemptOf(message), duration, outcome: decision }
  getLogger().debug(
    fields,
    `${decisionTexts[decision]}: ${actorName}${duration === undefined ? '' : `, ${duration} ms`}`,
  )
}

/** The line that every failed attempt gets. */
export function logFailure(message: Message, outcome: Outcome, error: Error): void {
  const { decision, reason, maxAttempts } = outcome
  const { messageId, actorName, queueName } = message
  if (outcome.postponed) return logWait(message, outcome, error)
  const attempt = attemptOf(message)
  const fields = { messageId, actorName, queueName, attempt, maxAttempts }
  const which = `attempt ${attempt}${maxAttempts === undefined ? '' : ` of ${maxAttempts}`}`
  if (decision === 'retry') {
    const { delay } = outcome
    const again = `to be retried ${delay ? `in ${showDuration(delay)}` : 'at once'}`
    if (error instanceof Retry) getLogger().info({ ...fields, delay }, `Attempt ${attempt}, ${again}: ${error.message}`)
    else getLogger().warn({ ...fields, delay, err: loggable(error) }, `Failed, ${which}, ${again}: ${summary(error)}`)
  } else {
    getLogger().error({ ...fields, err: loggable(error) }, `Failed for good, ${which}: ${reason ?? summary(error)}`)
  }
}

/** What is kept beside a dead letter. */
export function reasonOf({ reason: whole, error }: Rejection): { reason: string; traceback?: string } {
  const reason = cut(whole)
  const traceback = error && tracebackToKeep(error)
  return traceback === undefined ? { reason } : { reason, traceback }
}

/** A message that waits has one line, however often it comes back in vain. */
function logWait(message: Message, outcome: Outcome, error: Error): void {
  if (waitsOf(message) > 0) return
  const { messageId, actorName, queueName } = message
  const { delay = 0 } = outcome
  const text = `Waits, to be run again in ${showDuration(delay)}, no attempt counted: ${error.message}`
  getLogger().info({ messageId, actorName, queueName, delay }, text)
}
