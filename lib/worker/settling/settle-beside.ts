/**
 * Settles a message whose state is in another store than its queue. The state is changed first, and with it a record of
 * what is left to do. If the worker dies before it has done that, the next delivery finds the record and does only the
 * rest. So the state is changed once, and nothing that follows is lost; after such a crash it may be sent twice.
 */
import { createHash } from 'node:crypto'
import type { DeadLetterReason, Delivery } from '../../consumer.js'
import type { WireMessage } from '../../encoder.js'
import { Message } from '../../message.js'
import type { Entry } from '../../outcome.js'
import type { StateBackend } from '../../state/backend.js'
import type { Refusal, StateChange } from '../../state/changes.js'
import { uuid } from '../../uuid.js'
import type { UnsettledDelivery } from './unsettled-delivery.js'

/** What is left to do once the state has changed. */
interface Rest {
  /** The settlement that has changed it. */
  readonly by: string
  readonly letter: DeadLetterReason | undefined
  readonly sends: readonly (Omit<Entry, 'message'> & { readonly message: WireMessage })[]
}

/** How long a record is kept if the message is never delivered again, in milliseconds. */
const ttl = 7 * 86_400_000

/** One settlement, however often it is tried. */
export class SettlementBeside {
  readonly #unsettled: UnsettledDelivery
  readonly #state: StateBackend
  readonly #by = uuid()

  constructor(unsettled: UnsettledDelivery) {
    this.#unsettled = unsettled
    this.#state = unsettled.broker.stateFor('What plugins do with this message')
  }

  /** Returns what was refused, if nothing was done. */
  async settle(
    changes: readonly StateChange[],
    sends: readonly Entry[],
    letter: DeadLetterReason | undefined,
  ): Promise<Refusal | undefined> {
    const { broker, consumer, delivery } = this.#unsettled
    const key = keyOf(delivery)
    const rest: Rest = { by: this.#by, letter, sends: sends.map((one) => ({ ...one, message: one.message.toWire() })) }
    const record: StateChange = { kind: 'set', key, expected: null, value: JSON.stringify(rest), ttl }
    const refusal = await consumer.untilSettled(() => this.#state.apply([record, ...changes]))
    if (refusal && refusal.index > 0) return { ...refusal, index: refusal.index - 1 }
    const earlier = refusal && (JSON.parse(refusal.value as string) as Rest)
    if (!earlier || earlier.by === this.#by) await settleOnQueue(this.#unsettled, sends, letter)
    else {
      const entries = earlier.sends.map((one) => ({ ...one, message: Message.fromWire(one.message) }))
      const valid = entries.filter((entry) => broker.refusal(entry) === undefined)
      await settleOnQueue(this.#unsettled, valid, earlier.letter)
    }
    // Without it nothing is wrong: the record expires.
    await this.#state.apply([{ kind: 'set', key, value: null }]).catch(() => {})
    return undefined
  }
}

/** A retried copy has another body, and so another record. */
function keyOf({ queueName, body }: Delivery): string {
  return `settlement:${createHash('sha256').update(queueName).update('\0').update(body).digest('base64url')}`
}

/** Settles a message, without changes of the state. */
export async function settleOnQueue(
  { consumer, delivery }: UnsettledDelivery,
  sends: readonly Entry[],
  letter: DeadLetterReason | undefined,
): Promise<void> {
  if (letter) await consumer.deadLetter(delivery, letter, sends)
  else await consumer.ack(delivery, sends)
}
