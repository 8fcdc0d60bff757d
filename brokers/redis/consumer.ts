/**
 * One queue as a worker consumes it: takes in batches, sleeps in Redis when there is nothing, and settles what it took,
 * the settlements of one turn of the event loop in one call.
 */
import type { Consumer, DeadLetterReason } from '../../lib/consumer.js'
import type { Entry } from '../../lib/outcome.js'
import { backoff, startTimer } from '../../lib/time.js'
import { TurnBatch } from '../../lib/turn-batch.js'
import { type Catch, readCatch } from './catch.js'
import type { Hand, RedisDelivery } from './hand.js'
import { idArgument } from './ids.js'
import { bodiesAreText, type Parcel, parcelOfDelayed } from './parcels.js'
import { script } from './scripts.js'
import { deadLetter, type Settlement, settle } from './settling.js'
import { type Call, type Found, pollPause, type Waker } from './waker.js'

/** The most messages that one call fetches or settles. */
const mostAtOnce = 500

/** What the consumer needs of its broker. */
export interface Services {
  readonly hand: Hand
  readonly waker: Waker
  readonly now: () => number
  /** Makes parcels of messages that are sent with a settlement. */
  readonly parcels: (entries: readonly Entry[]) => Parcel[]
  /** Looks after the queue once before the first take: recovers what dead workers left. */
  readonly lookAfter: () => Promise<void>
  readonly isClosed: () => boolean
}

interface Requeue {
  readonly delivery: RedisDelivery
  readonly counted: boolean
  readonly due: number | undefined
}

type Fetched = Omit<Catch, 'mayBeEarly'>

export class RedisConsumer implements Consumer {
  readonly queueName: string
  readonly #services: Services
  readonly #hand: Hand
  readonly #closing = new AbortController()
  #lookedAfter = false
  /** Set when the last fetch found nothing: with when there will be something, if that is known. */
  #empty: { due: number | undefined } | undefined
  /** How far our clock is ahead of Redis's: that, or a little less. */
  #ahead = 0
  readonly #acks: TurnBatch<Settlement & { readonly delivery: RedisDelivery }>
  readonly #letters: TurnBatch<Settlement & { letter: DeadLetterReason }>
  readonly #requeues: TurnBatch<Requeue>

  constructor(services: Services) {
    const { hand } = services
    this.#services = services
    this.#hand = hand
    this.queueName = hand.queue.queueName
    hand.consumers++
    hand.onDoubt = () => services.waker.rouse(hand.queue)
    const { link } = hand.owner
    const source = { acks: hand.acks, bodies: hand.queue.messages, queue: hand.queue }
    const most = { most: mostAtOnce }
    this.#acks = new TurnBatch(async (batch) => {
      await hand.change(() => settle(link, source, batch))
      for (const { delivery } of batch) hand.release(delivery)
    }, most)
    this.#letters = new TurnBatch((batch) => hand.change(() => deadLetter(link, source, batch, services.now())), most)
    this.#requeues = new TurnBatch((batch) => hand.change(() => this.#giveBackAll(batch)))
  }

  async take(limit: number): Promise<readonly RedisDelivery[]> {
    const { signal } = this.#closing
    const most = Math.min(Math.max(limit, 1), mostAtOnce)
    while (!signal.aborted) {
      if (!this.#lookedAfter) {
        await this.#services.lookAfter()
        this.#lookedAfter = true
      }
      for (let busy = this.#hand.reclaim(); busy; busy = this.#hand.reclaim()) await busy
      const fetched = this.#empty ? await this.#sleep(most, this.#empty) : await this.#fetch(most)
      if (!fetched) continue
      if (fetched.delayedByPython) {
        const takingOver = this.#hand.takeOver()
        if (fetched.deliveries.length === 0) {
          await takingOver
          continue
        }
        // If it fails, the next fetch will say that there is something still.
        takingOver.catch(() => {})
      }
      if (fetched.deliveries.length > 0) return fetched.deliveries
    }
    return []
  }

  async begin(delivery: RedisDelivery): Promise<void> {
    if (!delivery.held) return
    await this.#hand.owner.link.run(
      script('begin'),
      [this.#hand.acks, this.#hand.queue.begun],
      [idArgument(delivery.id)],
    )
  }

  /** Everybody in a batch gets the same promise, which the worker makes use of. */
  ack(delivery: RedisDelivery, sends: readonly Entry[]): Promise<void> {
    if (!delivery.held) return done
    return sends.length === 0 ? this.#acknowledge(delivery, none) : this.#acknowledgeAndSend(delivery, sends)
  }

  async #acknowledgeAndSend(delivery: RedisDelivery, sends: readonly Entry[]): Promise<void> {
    await this.#acknowledge(delivery, this.#services.parcels(sends))
  }

  #acknowledge(delivery: RedisDelivery, parcels: readonly Parcel[]): Promise<void> {
    return this.#acks.add({ delivery, id: delivery.id, again: delivery.deliveryCount > 1, parcels })
  }

  async deadLetter(delivery: RedisDelivery, letter: DeadLetterReason, sends: readonly Entry[]): Promise<void> {
    if (!delivery.held) return
    const parcels = this.#services.parcels(sends)
    await this.#letters.add({ id: delivery.id, again: true, parcels, letter })
    this.#hand.release(delivery)
  }

  async requeue(
    delivery: RedisDelivery,
    { counted = false, delay = 0 }: { counted?: boolean; delay?: number } = {},
  ): Promise<void> {
    if (!delivery.held) return
    await this.#requeues.add({ delivery, counted, due: delay > 0 ? this.#services.now() + delay : undefined })
    this.#hand.release(delivery)
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort()
    this.#hand.consumers--
    this.#services.waker.rest()
  }

  /** Resolves when every settlement that was begun is through. */
  async settled(): Promise<void> {
    await Promise.all([this.#acks.idle(), this.#letters.idle(), this.#requeues.idle()])
  }

  // — The calls ——————————————————————————————————————————————————————————————————————————————————————————

  async #fetch(limit: number): Promise<Fetched> {
    const now = this.#services.now()
    // What was fetched is in the hand before the call counts as answered.
    return this.#hand.take(async () => {
      const { script, keys, args } = this.#call(limit, now)
      const fetched = this.#receive(await this.#hand.owner.link.run(script, keys, args, { binary: true }), now)
      this.#ahead = now - fetched.time
      return fetched
    })
  }

  /**
   * Sleeps with a fetch on its way.
   * @returns What it brought; nothing when one has to look by oneself.
   */
  async #sleep(limit: number, { due }: { due: number | undefined }): Promise<Fetched | undefined> {
    const { signal } = this.#closing
    let fetched: Fetched | undefined
    const fetch = (send: (call: Call) => Promise<unknown>): Promise<Found> =>
      this.#hand.takeAsleep(async () => {
        const answer = await send(this.#call(limit, undefined))
        if (answer === undefined) return { awake: true, due: undefined }
        const now = this.#services.now()
        fetched = this.#receive(answer, now)
        const { deliveries, delayedByPython, due } = fetched
        // Nobody waits for them any more.
        if (signal.aborted) for (const delivery of deliveries.splice(0)) this.requeue(delivery).catch(() => {})
        // One that is due by now, the fetch was a moment too soon for.
        const isDue = due !== undefined && due <= now
        return {
          awake: deliveries.length > 0 || delayedByPython || isDue || signal.aborted || this.#hand.isDoubtful,
          due,
        }
      })
    await this.#services.waker.sleep(this.#hand.queue, { due, signal, fetch })
    if (fetched && (fetched.deliveries.length > 0 || fetched.delayedByPython)) return fetched
    this.#empty = undefined
    return undefined
  }

  /** @param now The time, unless it is made later. */
  #call(limit: number, now: number | undefined): Call {
    const { acks, owner, queue } = this.#hand
    const { messages, taken, deliveries, begun, wake, delayed, delayedMessages, delayQueue, lists } = queue
    const sets = [acks, messages, taken, deliveries, begun, wake, delayed, delayedMessages, delayQueue]
    const args = [owner.worker, now ?? '', limit, pollPause, this.#ahead]
    return { script: script('fetch'), keys: [owner.keys.heartbeats, ...sets, ...lists], args }
  }

  #receive(answer: unknown, now: number): Fetched {
    const caught = readCatch(answer as unknown[], this.queueName, bodiesAreText())
    const { deliveries, due, delayedByPython, mayBeEarly, time } = caught
    for (const delivery of deliveries) this.#hand.hold(delivery)
    this.#empty = deliveries.length === 0 && !delayedByPython ? { due } : undefined
    return { deliveries: mayBeEarly ? this.#notEarly(deliveries, now) : deliveries, due, delayedByPython, time }
  }

  #notEarly(deliveries: readonly RedisDelivery[], now: number): RedisDelivery[] {
    return deliveries.filter((delivery) => {
      const early = typeof delivery.body === 'string' ? this.#early(delivery.body, now) : undefined
      if (early) void this.#putOff(delivery, early)
      return !early
    })
  }

  /** Dramatiq allows an `eta` on a message that isn't in the delay queue; it waits all the same, as this parcel. */
  #early(body: string, now: number): Parcel | undefined {
    if (!body.includes('"eta"')) return undefined
    try {
      const { options } = JSON.parse(body) as { options?: { eta?: unknown } }
      return typeof options?.eta === 'number' && options.eta > now ? parcelOfDelayed(this.#hand.queue, body) : undefined
    } catch {
      // Not a message: the worker will say so.
      return undefined
    }
  }

  async #putOff(delivery: RedisDelivery, parcel: Parcel): Promise<void> {
    for (let failures = 0; delivery.held && !this.#services.isClosed(); failures++) {
      try {
        await this.#acknowledge(delivery, [parcel])
      } catch {
        const wait = backoff(failures, { factor: 50, max: 2000 })
        await new Promise<void>((resolve) => startTimer(resolve, wait).unref())
      }
    }
  }

  /** The last ones first, as each call puts what it gives back before what is there: so all end up in their order. */
  async #giveBackAll(all: readonly Requeue[]): Promise<void> {
    for (let end = all.length; end > 0; end -= mostAtOnce) {
      await this.#giveBack(all.slice(Math.max(0, end - mostAtOnce), end))
    }
  }

  async #giveBack(batch: readonly Requeue[]): Promise<void> {
    const { acks, owner, queue } = this.#hand
    const { messages, taken, deliveries, begun, wake, delayed, delayedMessages, lists } = queue
    const args = batch.flatMap(({ delivery: { id, priority }, counted, due }) => [
      idArgument(id),
      priority,
      counted ? '1' : '',
      due ?? '',
    ])
    const keys = [acks, messages, taken, deliveries, begun, wake, delayed, delayedMessages, ...lists]
    await owner.link.run(script('requeue'), keys, args)
  }
}

const none: readonly Parcel[] = []
const done = Promise.resolve()
