/** What was sent, and how each delivery ended. A plugin writes it down; the assertions read it. */
import { expected } from '../lib/checks.js'
import type { DeadLetterReason } from '../lib/consumer.js'
import type { Body } from '../lib/encoder.js'
import { SkipMessage } from '../lib/errors.js'
import { Message } from '../lib/message.js'
import type { Middleware } from '../lib/middleware.js'
import type { Entry } from '../lib/outcome.js'
import type { Settlement } from '../lib/settlement.js'
import type { Conditions } from './conditions.js'
import { type AnyHandle, argumentsMatch, showCall } from './matching.js'

/** A message that was sent, by the code under test or by an actor. */
export interface SentMessage {
  /** The message as it was stored: its arguments are JSON. */
  readonly message: Message
  /** Its delay in milliseconds, if it has one. */
  readonly delay: number | undefined
}

/**
 * How a delivery can end. `'failed'`: the actor threw, whether it is retried or not. `'retried'`: it failed and will
 * run again. `'dead-lettered'`: it failed permanently. `'cancelled'`: cancelled, also by the actor itself.
 * `'skipped'`: acknowledged without running. `'requeued'`: back on its queue with no attempt counted.
 */
export type End = 'succeeded' | 'failed' | 'retried' | 'dead-lettered' | 'cancelled' | 'skipped' | 'requeued'

/** A delivery that ended. */
export interface EndedDelivery extends Settlement {
  readonly message: Message
}

const endsByDecision: Readonly<Record<Settlement['decision'], readonly End[]>> = {
  ack: ['succeeded'],
  retry: ['failed', 'retried'],
  'dead-letter': ['failed', 'dead-lettered'],
  cancel: ['cancelled'],
  skip: ['skipped'],
  requeue: ['requeued'],
}

const ends = new Set(Object.values(endsByDecision).flat())

/** @throws {InvalidOption} */
export function checkEnd(end: unknown): void {
  if (!ends.has(end as End)) throw expected(`one of ${[...ends].map((one) => `'${one}'`).join(', ')}`, end, 'end')
}

/** A dead letter, as the broker stored it. */
interface DeadLettered extends DeadLetterReason {
  readonly body: Body
}

export class History implements Middleware {
  readonly name = 'TestBroker'
  readonly sent: SentMessage[] = []
  readonly ended: EndedDelivery[] = []
  readonly deadLettered: DeadLettered[] = []
  /** The messages known by id: a retry isn't sent again. */
  readonly #ids = new Set<string>()
  /** The ends that `take` returned. */
  readonly #taken = new Map<EndedDelivery, Set<End>>()
  readonly #skips = new WeakMap<Message, SkipMessage>()

  constructor(private readonly conditions: Conditions) {}

  /** Makes a message known that nobody sent. */
  ignore(message: Message): void {
    this.#ids.add(message.messageId)
  }

  afterEnqueue(message: Message, delay: number | undefined): void {
    if (this.#ids.has(message.messageId)) return
    this.#ids.add(message.messageId)
    this.sent.push(asSent({ message, delay }))
    this.conditions.changed()
  }

  /** A unique message took the place of one that waited, and its id: it is what was sent now. */
  replace(entry: Entry): void {
    const index = this.sent.findIndex(({ message }) => message.messageId === entry.message.messageId)
    if (index < 0) return
    this.sent[index] = asSent(entry)
    this.conditions.changed()
  }

  afterSkipMessage(message: Message, skip: SkipMessage): void {
    this.#skips.set(message, skip)
  }

  afterSettleMessage(message: Message, settlement: Settlement): void {
    this.ended.push({ message, ...settlement })
    this.conditions.changed()
  }

  /** Called by the consumers: a body that is no message calls no hook. */
  deadLetter(body: Body, reason: DeadLetterReason): void {
    this.deadLettered.push({ body, ...reason })
  }

  /** What was sent to an actor with such arguments. */
  sentTo(actor: AnyHandle, args?: readonly unknown[]): SentMessage[] {
    return this.sent.filter(
      ({ message }) => message.actorName === actor.actorName && argumentsMatch(message.args, args),
    )
  }

  /** Takes the first end of this kind that wasn't taken before. */
  take(actor: AnyHandle, end: End): EndedDelivery | undefined {
    const found = this.ended.find(
      (one) =>
        one.message.actorName === actor.actorName &&
        endsByDecision[one.decision].includes(end) &&
        !this.#taken.get(one)?.has(end),
    )
    if (!found) return undefined
    this.#taken.set(found, (this.#taken.get(found) ?? new Set()).add(end))
    return found
  }

  /** The last end of a message. */
  endOf(messageId: string): EndedDelivery | undefined {
    return this.ended.findLast(({ message }) => message.messageId === messageId)
  }

  /** What the actor threw, or what stopped it; `undefined` after a success. */
  errorOf({ message, decision, error, reason }: EndedDelivery): Error | undefined {
    if (decision === 'ack') return undefined
    return error ?? this.#skips.get(message) ?? new SkipMessage(reason)
  }

  // — In words ———————————————————————————————————————————————————————————————————————————————————————————

  /** What was sent, a line each. */
  showSent(): string {
    if (this.sent.length === 0) return 'Nothing was sent.'
    const lines = this.sent.map(({ message, delay }) => {
      const later = delay === undefined ? '' : `, delayed by ${delay} ms`
      return `${showCall(message.actorName, message.args)}${later}`
    })
    return `What was sent:\n${list(lines)}`
  }

  /** How the deliveries of an actor ended, a line each. */
  showEnded({ actorName }: AnyHandle): string {
    const ended = this.ended.filter(({ message }) => message.actorName === actorName)
    if (ended.length === 0) return `No message of ${actorName} has ended.`
    const lines = ended.map(({ message, decision, error, reason, delay }) => {
      const why = decision === 'ack' ? '' : `: ${reason ?? String(error)}`
      const later = delay === undefined ? '' : `, again in ${delay} ms`
      return `${showCall(actorName, message.args)} ${endsByDecision[decision].at(-1)}${why}${later}`
    })
    return `What happened:\n${list(lines)}`
  }

  /** The dead letters from the one at `first` on, a line each. */
  showDeadLetters(first: number): string {
    return list(this.deadLettered.slice(first).map(({ body, reason }) => `${showBody(body)}: ${reason}`))
  }

  /** What the actor of a dead letter threw, if it ran. */
  causeOf(letter: number): Error | undefined {
    const body = this.deadLettered[letter]?.body
    const message = body === undefined ? undefined : decoded(body)
    return message && this.endOf(message.messageId)?.error
  }
}

/** A copy: the sender may change its arguments afterwards. */
function asSent({ message, delay }: Entry): SentMessage {
  return { message: Message.decode(message.encode()), delay }
}

const mostLines = 20

function list(lines: readonly string[]): string {
  const shown = lines.slice(-mostLines).map((line) => `  ${line}`)
  const left = lines.length - shown.length
  return left === 0 ? shown.join('\n') : `  … ${left} more before\n${shown.join('\n')}`
}

function decoded(body: Body): Message | undefined {
  try {
    return Message.decode(body)
  } catch {
    return undefined
  }
}

function showBody(body: Body): string {
  const message = decoded(body)
  return message ? showCall(message.actorName, message.args) : 'a body that is no message'
}
