/** What is reported of a settled delivery: the `afterSettleMessage` hook, and the lines in the log. */
import type { Broker } from '../../broker.js'
import { Retry, UnknownVersion } from '../../errors.js'
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

/** When messages started; kept while debug is on. */
const startTimes = new WeakMap<Message, number>()

/** Called before any hook of a message, while debug is on. */
export function noteStart(message: Message): void {
  startTimes.set(message, performance.now())
}

/** The number of a message's attempt, from 1. */
export function attemptOf(message: Message): number {
  return countOf(message, 'retries') + 1
}

/** Calls the hook, once the broker has stored the settlement. */
export async function reportSettlement(
  broker: Broker,
  message: Message,
  settlement: Omit<Settlement, 'attempt'>,
): Promise<void> {
  if (isDebugEnabled()) logSettlement(message, settlement.decision)
  const { chain } = broker
  if (!chain.has('afterSettleMessage')) return
  await chain.emit('afterSettleMessage', message, { attempt: attemptOf(message), ...settlement }, broker)
}

/** The settlement that an outcome leads to. */
export function settlementOf(outcome: Outcome): Omit<Settlement, 'attempt'> {
  const { decision, result, error, reason, delay, maxAttempts } = outcome
  if (decision === 'ack') return { decision, result }
  if (decision === 'cancel') return { decision, error: outcome.cancellation, reason }
  if (outcome.postponed) return { decision: 'requeue', error, reason: error?.message, delay }
  return { decision, error, reason, delay, maxAttempts }
}

const decisionTexts: Readonly<Record<Settlement['decision'], string>> = {
  ack: 'Done',
  retry: 'Failed, will be retried',
  'dead-letter': 'Dead-lettered',
  cancel: 'Cancelled',
  skip: 'Skipped',
  requeue: 'Requeued',
}

/** Logs the one debug line of each message. */
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

/** Logs a failed attempt, or a cancellation. */
export function logFailure(message: Message, outcome: Outcome, error: Error): void {
  const { decision, reason, maxAttempts } = outcome
  const { messageId, actorName, queueName } = message
  if (outcome.postponed) return logWait(message, outcome, error)
  const attempt = attemptOf(message)
  const fields = { messageId, actorName, queueName, attempt, maxAttempts }
  const attemptText = `attempt ${attempt}${maxAttempts === undefined ? '' : ` of ${maxAttempts}`}`
  if (decision === 'cancel') {
    getLogger().info({ ...fields, reason }, reason === undefined ? 'Cancelled' : `Cancelled: ${reason}`)
  } else if (decision === 'retry') {
    const { delay } = outcome
    const retryText = `will be retried ${delay ? `in ${showDuration(delay)}` : 'immediately'}`
    if (error instanceof Retry)
      getLogger().info({ ...fields, delay }, `Attempt ${attempt}, ${retryText}: ${error.message}`)
    else
      getLogger().warn(
        { ...fields, delay, err: loggable(error) },
        `Failed, ${attemptText}, ${retryText}: ${summary(error)}`,
      )
  } else {
    getLogger().error(
      { ...fields, err: loggable(error) },
      `Failed permanently, ${attemptText}: ${reason ?? summary(error)}`,
    )
  }
}

/** What is stored with a dead letter. */
export function reasonOf({ reason: whole, error }: Rejection): { reason: string; traceback?: string } {
  const reason = cut(whole)
  const traceback = error && tracebackToKeep(error)
  return traceback === undefined ? { reason } : { reason, traceback }
}

/** Logs a postponed message once, however often it is postponed. */
function logWait(message: Message, outcome: Outcome, error: Error): void {
  if (waitsOf(message) > 0) return
  const { messageId, actorName, queueName } = message
  const { delay = 0 } = outcome
  const text = `Postponed by ${showDuration(delay)}, no attempt counted: ${error.message}`
  getLogger()[error instanceof UnknownVersion ? 'warn' : 'info']({ messageId, actorName, queueName, delay }, text)
}
