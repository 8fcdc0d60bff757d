/**
 * Consumes one queue: takes messages in batches, waits in Redis while the queue is empty, and settles what it took. The
 * settlements of one turn of the event loop go out in one call.
 */
import type { Consumer, DeadLetterReason, StateSettlement } from '../../../lib/consumer.js'
import type { Entry } from '../../../lib/outcome.js'
import type { Refusal } from '../../../lib/state/changes.js'
import { backoff, startTimer } from '../../../lib/time.js'
import { TurnBatch } from '../../../lib/turn-batch.js'
import { idArgument } from '../ids.js'
import { script } from '../scripts.js'
import { bodiesAreText, type EnqueueRecord, recordOfDelayed } from '../sending/enqueue-records.js'
import { type FetchReply, readFetchReply } from './fetch-reply.js'
import { acknowledge, deadLetter, type Settlement, type SettlementWithState, settleWithState } from './settlements.js'
import type { RedisDelivery, UnackedDeliveries } from './unacked.js'
import { type FetchOutcome, pollInterval, type ScriptCall, type WakeUps } from './wake-ups.js'

/** The maximum number of messages that one call fetches or settles. */
const maxBatch = 500

/** What the consumer needs from its broker. */
export interface ConsumerContext {
  readonly unacked: UnackedDeliveries
  readonly wakeUps: WakeUps
  readonly now: () => number
  /** Makes the enqueue records of messages that are sent with a settlement. */
  readonly records: (entries: readonly Entry[]) => EnqueueRecord[]
  /** Runs the queue's maintenance once before the first take: recovers the messages of dead workers. */
  readonly maintain: () => Promise<void>
  readonly isClosed: () => boolean
}

interface Requeue {
  readonly delivery: RedisDelivery
  readonly counted: boolean
  readonly due: number | undefined
}

type Fetched = Omit<FetchReply, 'mayBeEarly'>

export class RedisConsumer implements Consumer {
  readonly queueName: string
  readonly #context: ConsumerContext
  readonly #unacked: UnackedDeliveries
  readonly #closing = new AbortController()
  #maintained = false
  /** Set when the last fetch found nothing: with the time when the next delayed message is due, if there is one. */
  #empty: { due: number | undefined } | undefined
  /** How far our clock is ahead of the clock of Redis, or a little less. */
  #clockOffset = 0
  readonly #acks: TurnBatch<Settlement & { readonly delivery: RedisDelivery }>
  readonly #deadLetters: TurnBatch<Settlement & { letter: DeadLetterReason }>
  readonly #requeues: TurnBatch<Requeue>
  readonly #settlements: TurnBatch<SettlementWithState>

  constructor(context: ConsumerContext) {
    const { unacked } = context
    this.#context = context
    this.#unacked = unacked
    this.queueName = unacked.queue.queueName
    unacked.consumers++
    unacked.onUncertain = () => context.wakeUps.wake(unacked.queue)
    const { connection } = unacked.session
    const source = { acks: unacked.acks, bodies: unacked.queue.messages, queue: unacked.queue }
    const most = { most: maxBatch }
    this.#acks = new TurnBatch(async (batch) => {
      await unacked.changeAcks(() => acknowledge(connection, source, batch))
      for (const { delivery } of batch) unacked.remove(delivery)
    }, most)
    this.#deadLetters = new TurnBatch(
      (batch) => unacked.changeAcks(() => deadLetter(connection, source, batch, context.now())),
      most,
    )
    this.#settlements = new TurnBatch((batch) => {
      const names = { names: unacked.session.keys, now: context.now() }
      return unacked.changeAcks(() => settleWithState(connection, source, batch, names))
    }, most)
    this.#requeues = new TurnBatch((batch) => unacked.changeAcks(() => this.#requeueAll(batch)))
  }

  async take(limit: number): Promise<readonly RedisDelivery[]> {
    const { signal } = this.#closing
    const most = Math.min(Math.max(limit, 1), maxBatch)
    while (!signal.aborted) {
      if (!this.#maintained) {
        await this.#context.maintain()
        this.#maintained = true
      }
      for (let busy = this.#unacked.reclaim(); busy; busy = this.#unacked.reclaim()) await busy
      const fetched = this.#empty ? await this.#sleep(most, this.#empty) : await this.#fetch(most)
      if (!fetched) continue
      if (fetched.delayedByPython) {
        const takeover = this.#unacked.takeOverDelayed()
        if (fetched.deliveries.length === 0) {
          await takeover
          continue
        }
        // If it fails, the next fetch will report them again.
        takeover.catch(() => {})
      }
      if (fetched.deliveries.length > 0) return fetched.deliveries
    }
    return []
  }

  async begin(delivery: RedisDelivery): Promise<void> {
    if (!delivery.held) return
    await this.#unacked.session.connection.run(
      script('begin'),
      [this.#unacked.acks, this.#unacked.queue.begun],
      [idArgument(delivery.id)],
    )
  }

  /** Returns the same promise to all acks of a batch, which the worker relies on. */
  ack(delivery: RedisDelivery, sends: readonly Entry[]): Promise<void> {
    if (!delivery.held) return done
    return sends.length === 0 ? this.#acknowledge(delivery, none) : this.#acknowledgeAndSend(delivery, sends)
  }

  async #acknowledgeAndSend(delivery: RedisDelivery, sends: readonly Entry[]): Promise<void> {
    await this.#acknowledge(delivery, this.#context.records(sends))
  }

  #acknowledge(delivery: RedisDelivery, records: readonly EnqueueRecord[]): Promise<void> {
    return this.#acks.add({ delivery, id: delivery.id, redelivered: delivery.deliveryCount > 1, records })
  }

  async deadLetter(delivery: RedisDelivery, letter: DeadLetterReason, sends: readonly Entry[]): Promise<void> {
    if (!delivery.held) return
    const records = this.#context.records(sends)
    await this.#deadLetters.add({ id: delivery.id, redelivered: true, records, letter })
    this.#unacked.remove(delivery)
  }

  async settleWith(delivery: RedisDelivery, step: StateSettlement): Promise<Refusal | undefined> {
    if (!delivery.held) return undefined
    const { letter, changes, sends } = step
    const records = this.#context.records(sends)
    const settlement: SettlementWithState = { id: delivery.id, records, letter, changes, refusal: undefined }
    await this.#settlements.add(settlement)
    if (!settlement.refusal) this.#unacked.remove(delivery)
    return settlement.refusal
  }

  async requeue(
    delivery: RedisDelivery,
    { counted = false, delay = 0 }: { counted?: boolean; delay?: number } = {},
  ): Promise<void> {
    if (!delivery.held) return
    await this.#requeues.add({ delivery, counted, due: delay > 0 ? this.#context.now() + delay : undefined })
    this.#unacked.remove(delivery)
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort()
    this.#unacked.consumers--
    this.#context.wakeUps.stopIfIdle()
  }

  /** Resolves when all settlements that were started have ended. */
  async settled(): Promise<void> {
    const batches = [this.#acks, this.#deadLetters, this.#settlements, this.#requeues]
    await Promise.all(batches.map((batch) => batch.idle()))
  }

  // — The calls ——————————————————————————————————————————————————————————————————————————————————————————

  async #fetch(limit: number): Promise<Fetched> {
    const now = this.#context.now()
    // The deliveries are tracked as unacked before the call counts as replied.
    return this.#unacked.take(async () => {
      const { script, keys, args } = this.#fetchCall(limit, now)
      const fetched = this.#readReply(
        await this.#unacked.session.connection.run(script, keys, args, { binary: true }),
        now,
      )
      this.#clockOffset = now - fetched.time
      return fetched
    })
  }

  /**
   * Waits until the queue has something, with a fetch pipelined behind the wait.
   * @returns What it fetched, or `undefined` when the caller has to fetch.
   */
  async #sleep(limit: number, { due }: { due: number | undefined }): Promise<Fetched | undefined> {
    const { signal } = this.#closing
    let fetched: Fetched | undefined
    const fetch = (send: (call: ScriptCall) => Promise<unknown>): Promise<FetchOutcome> =>
      this.#unacked.takeBlocking(async () => {
        const answer = await send(this.#fetchCall(limit, undefined))
        if (answer === undefined) return { awake: true, due: undefined }
        const now = this.#context.now()
        fetched = this.#readReply(answer, now)
        const { deliveries, delayedByPython, due } = fetched
        // The consumer was closed: return them to the queue.
        if (signal.aborted) for (const delivery of deliveries.splice(0)) this.requeue(delivery).catch(() => {})
        // A message that has become due since: the fetch came a moment too early.
        const isDue = due !== undefined && due <= now
        return {
          awake: deliveries.length > 0 || delayedByPython || isDue || signal.aborted || this.#unacked.isUncertain,
          due,
        }
      })
    await this.#context.wakeUps.sleep(this.#unacked.queue, { due, signal, fetch })
    if (fetched && (fetched.deliveries.length > 0 || fetched.delayedByPython)) return fetched
    this.#empty = undefined
    return undefined
  }

  /** @param now The time, or `undefined` when the call is executed at an unknown later time. */
  #fetchCall(limit: number, now: number | undefined): ScriptCall {
    const { acks, session, queue } = this.#unacked
    const { messages, taken, deliveries, begun, wake, delayed, delayedMessages, delayQueue, lists } = queue
    const sets = [acks, messages, taken, deliveries, begun, wake, delayed, delayedMessages, delayQueue]
    const args = [session.worker, now ?? '', limit, pollInterval, this.#clockOffset]
    const { heartbeats, cancellations } = session.keys
    return { script: script('fetch'), keys: [heartbeats, ...sets, ...lists, cancellations], args }
  }

  #readReply(answer: unknown, now: number): Fetched {
    const reply = readFetchReply(answer as unknown[], this.queueName, bodiesAreText())
    const { deliveries, due, delayedByPython, mayBeEarly, time } = reply
    for (const delivery of deliveries) this.#unacked.add(delivery)
    this.#empty = deliveries.length === 0 && !delayedByPython ? { due } : undefined
    return { deliveries: mayBeEarly ? this.#withoutEarly(deliveries, now) : deliveries, due, delayedByPython, time }
  }

  #withoutEarly(deliveries: readonly RedisDelivery[], now: number): RedisDelivery[] {
    return deliveries.filter((delivery) => {
      const early = typeof delivery.body === 'string' ? this.#asDelayed(delivery.body, now) : undefined
      if (early) void this.#delay(delivery, early)
      return !early
    })
  }

  /** Dramatiq allows an `eta` on a message outside the delay queue. It is delayed all the same, as this record. */
  #asDelayed(body: string, now: number): EnqueueRecord | undefined {
    if (!body.includes('"eta"')) return undefined
    try {
      const { options } = JSON.parse(body) as { options?: { eta?: unknown } }
      return typeof options?.eta === 'number' && options.eta > now
        ? recordOfDelayed(this.#unacked.queue, body)
        : undefined
    } catch {
      // Not a message: the worker will report it.
      return undefined
    }
  }

  async #delay(delivery: RedisDelivery, record: EnqueueRecord): Promise<void> {
    for (let failures = 0; delivery.held && !this.#context.isClosed(); failures++) {
      try {
        await this.#acknowledge(delivery, [record])
      } catch {
        const wait = backoff(failures, { factor: 50, max: 2000 })
        await new Promise<void>((resolve) => startTimer(resolve, wait).unref())
      }
    }
  }

  /** Requeues the last batch first: each call puts its messages at the head of the queue, so the order is kept. */
  async #requeueAll(all: readonly Requeue[]): Promise<void> {
    for (let end = all.length; end > 0; end -= maxBatch) {
      await this.#requeueBatch(all.slice(Math.max(0, end - maxBatch), end))
    }
  }

  async #requeueBatch(batch: readonly Requeue[]): Promise<void> {
    const { acks, session, queue } = this.#unacked
    const { messages, taken, deliveries, begun, wake, delayed, delayedMessages, lists } = queue
    const args = batch.flatMap(({ delivery: { id, priority }, counted, due }) => [
      idArgument(id),
      priority,
      counted ? '1' : '',
      due ?? '',
    ])
    const keys = [acks, messages, taken, deliveries, begun, wake, delayed, delayedMessages, ...lists]
    await session.connection.run(script('requeue'), keys, args)
  }
}

const none: readonly EnqueueRecord[] = []
const done = Promise.resolve()
