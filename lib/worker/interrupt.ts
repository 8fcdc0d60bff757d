/** Interrupts running messages, and limits their time, by message. */
import { expected, refuseUnknown } from '../checks.js'
import type { Duration } from '../duration.js'
import { Interrupt } from '../errors.js'
import { assertMessage, type Message } from '../message.js'
import { parseDuration } from '../time.js'
import type { TimeAllowance } from './execution.js'
import { executionOf } from './running-messages.js'

/**
 * Interrupts a running message: its `current().signal` aborts with `error` as the reason.
 *
 * @param options.grace How long the actor has to finish before its thread is terminated (inline: its slot freed).
 * Without it only the signal is aborted.
 * @returns Whether the message was running.
 */
export function interrupt(message: Message, error: Interrupt, options: { grace?: Duration | undefined } = {}): boolean {
  assertMessage(message)
  if (!(error instanceof Interrupt)) throw expected('an Interrupt, such as new Shutdown()', error, 'error')
  refuseUnknown(options, ['grace'], 'interrupt()')
  const grace = options.grace === undefined ? undefined : parseDuration(options.grace, 'grace')
  const execution = executionOf(message)
  execution?.interrupt(error, grace)
  return execution !== undefined
}

/**
 * Sets the time limit of a message that is about to run; for `beforeProcessMessage` hooks. At the limit the run is
 * interrupted with `TimeLimitExceeded`. Time in which another message blocked its thread doesn't count.
 */
export function limitTime(message: Message, allowed: TimeAllowance): void {
  executionOf(message)?.allow(allowed)
}
