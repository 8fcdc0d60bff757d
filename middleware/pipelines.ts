/**
 * Sends the next step of a pipeline: if a message has a `pipe_target` in its options, its result becomes the last
 * argument of that message, which is sent in the same step that acknowledges the first. The next step may also be a group
 * (`pipe_group`, which Python ignores). A permanent failure ends the pipeline.
 */
import type { Broker } from '../lib/broker.js'
import { checkRecord, openRecords } from '../lib/composition/group-record.js'
import { delayOf, type Start, startMessages, startOf, withResult } from '../lib/composition/place.js'
import { DecodeError, SkipMessage } from '../lib/errors.js'
import { Message } from '../lib/message.js'
import type { Middleware } from '../lib/middleware.js'
import { declareOptions, flag } from '../lib/options.js'
import type { Outcome } from '../lib/outcome.js'
import { canonicalQueueName, checkActorName, checkQueueName } from '../lib/queue-names.js'
import type { PendingSettlement } from '../lib/settlement.js'
import type { SettlementStep } from '../lib/state/steps.js'
import { messageOf } from '../lib/thrown.js'

declare module '../lib/actor-options.js' {
  interface MessageOptions {
    /**
     * On a step of a pipeline: it doesn't receive the result of the previous step. On an actor: its result isn't passed
     * on.
     * @default false
     */
    pipeIgnore?: boolean | undefined
  }
}

declareOptions({ pipeIgnore: { wire: 'pipe_ignore', read: flag } })

export class Pipelines implements Middleware {
  readonly essential = true
  readonly onlyWithOptions = ['pipe_target', 'pipe_group']

  wantsResult(message: Message): boolean {
    return message.option('pipe_target') !== undefined || message.option('pipe_group') !== undefined
  }

  /** A message whose next step is invalid isn't run at all: afterwards it would be too late. */
  beforeProcessMessage(message: Message): void {
    const target = message.option('pipe_target')
    const start = message.option('pipe_group')
    try {
      if (target !== undefined && target !== null) checkStep(target)
      if (start !== undefined && start !== null) checkStart(startOf(message))
    } catch (error) {
      throw new SkipMessage(`The next step of the pipeline is not a message: ${messageOf(error)}`, { fail: true })
    }
  }

  beforeSettleMessage(message: Message, outcome: Outcome, broker: Broker): void {
    const target = message.option('pipe_target')
    if (outcome.decision !== 'ack' || target === undefined || target === null) return
    const next = Message.fromWire(target)
    const ignore = next.options.pipe_ignore || broker.actors.get(message.actorName)?.options.pipeIgnore
    outcome.send(ignore ? next : withResult(next, outcome.result), delayOf(next))
  }

  joinsSettlement(message: Message): boolean {
    return message.option('pipe_group') !== undefined
  }

  /** The next step is a group: its record is stored in the same step as its messages. */
  beforeStoreSettlement(
    message: Message,
    { decision, result }: PendingSettlement,
    step: SettlementStep,
    broker: Broker,
  ): void {
    const start = startOf(message)
    if (decision !== 'ack' || !start) return
    const ignores = broker.actors.get(message.actorName)?.options.pipeIgnore
    const sends = ignores ? startMessages(start) : startMessages(start, { result })
    step.add({ changes: openRecords(start.records, broker.clock.now()), sends })
  }
}

function checkStep(wire: unknown): void {
  const { queueName, actorName } = Message.fromWire(wire)
  checkQueueName(canonicalQueueName(queueName))
  checkActorName(actorName)
}

function checkStart(start: Start | undefined): void {
  if (!start) throw new DecodeError('"pipe_group" has no messages or no records.')
  for (const { message } of start.messages) checkStep(message)
  for (const [key, record] of start.records) checkRecord(key, record)
}
