/**
 * One queue in memory: what is ready by priority, what is delayed by time, who waits for it. It knows no messages, only
 * what is held; dead letters are kept beside it.
 */
import type { QueueStats } from '../../lib/consumer.js'
import { Heap } from '../../lib/heap.js'
import type { Clock } from '../../lib/time.js'
import { DeadLetters } from './dead-letters.js'
import { Fifo } from './fifo.js'
import type { StoredMessage } from './stored-message.js'

/** What happens on all queues of a broker, for the clock and for `join`. */
export class Activity {
  /** Raised with every step. */
  steps = 0
  /** How many messages are in the hands of workers. */
  inHand = 0
  /** Called when a queue has become empty. */
  readonly onEmpty = new Set<() => void>()
}

interface WaitingTake {
  readonly owner: object
  readonly limit: number
  readonly resolve: (batch: readonly StoredMessage[]) => void
}

/** Those of one priority: in order of arrival, but what was given back comes first. */
class Level {
  readonly waiting = new Fifo<StoredMessage>()
  /** By their old place in the line; nearly always empty. */
  readonly returned = new Heap<StoredMessage>()

  shift(): StoredMessage | undefined {
    return this.returned.size > 0 ? this.returned.pop() : this.waiting.shift()
  }
}

const nothing: readonly StoredMessage[] = Object.freeze([])

export class MemoryQueue {
  generation = 0
  readonly dead: DeadLetters
  #levels: readonly Level[] = newLevels()
  #ready = 0
  readonly #delayed = new Heap<StoredMessage>()
  #inHand = 0
  #order = 0
  #waiting: WaitingTake[] = []
  #waking = false
  #timer: unknown
  #timerAt = Number.POSITIVE_INFINITY

  constructor(
    readonly name: string,
    readonly clock: Clock,
    readonly activity: Activity,
    deadMessageTtl: number,
  ) {
    this.dead = new DeadLetters(name, clock, deadMessageTtl)
  }

  stats(): QueueStats {
    return { ready: this.#ready, delayed: this.#delayed.size, inFlight: this.#inHand, dead: this.dead.size }
  }

  // — In —————————————————————————————————————————————————————————————————————————————————————————————————

  /** Puts a message in its place: into the line, or aside until it is due. */
  add(held: StoredMessage): void {
    if (held.due > 0) this.#putAside(held)
    else this.#line(held)
  }

  /** Puts a message back where it was in the line. */
  giveBack(held: StoredMessage, order: number): void {
    held.order = order
    this.#level(held).returned.push(held, order)
    this.#isReady()
  }

  #line(held: StoredMessage): void {
    held.order = this.#order++
    this.#level(held).waiting.push(held)
    this.#isReady()
  }

  #isReady(): void {
    this.#ready++
    this.activity.steps++
    if (this.#waiting.length === 0 || this.#waking) return
    // Later, so that what is sent in one turn of the event loop is taken as one batch.
    this.#waking = true
    setImmediate(() => this.#wake())
  }

  #level({ priority }: StoredMessage): Level {
    return this.#levels[priority] as Level
  }

  // — Delays —————————————————————————————————————————————————————————————————————————————————————————————

  #putAside(held: StoredMessage): void {
    this.activity.steps++
    this.#delayed.push(held, held.due)
    if (held.due < this.#timerAt) this.#schedule()
  }

  /** One timer for all that is delayed. */
  #schedule(): void {
    this.clock.clearTimeout(this.#timer)
    this.#timerAt = this.#delayed.peekRank()
    if (this.#timerAt === Number.POSITIVE_INFINITY) return
    this.#timer = this.clock.setTimeout(() => this.#promote(), this.#timerAt - this.clock.now())
  }

  #promote(): void {
    const now = this.clock.now()
    while (this.#delayed.peekRank() <= now) this.#line(this.#delayed.pop() as StoredMessage)
    this.#schedule()
  }

  // — Out ————————————————————————————————————————————————————————————————————————————————————————————————

  /** Takes what is ready. */
  take(limit: number): readonly StoredMessage[] {
    let wanted = Math.min(limit, this.#ready)
    if (wanted <= 0) return nothing
    this.#ready -= wanted
    this.#inHand += wanted
    this.activity.inHand += wanted
    this.activity.steps++
    const batch: StoredMessage[] = []
    for (let priority = 9; wanted > 0; priority--) {
      const level = this.#levels[priority] as Level
      for (let held = level.shift(); held; held = wanted > 0 ? level.shift() : undefined) {
        held.taken = true
        held.deliveryCount++
        batch.push(held)
        wanted--
      }
    }
    return batch
  }

  /** Waits for something to take, on behalf of `owner`. */
  wait(limit: number, owner: object): Promise<readonly StoredMessage[]> {
    return new Promise((resolve) => this.#waiting.push({ owner, limit, resolve }))
  }

  /** Ends every wait of `owner`, or of everybody. */
  endWaits(owner?: object): void {
    const ended = this.#waiting.filter((waiting) => owner === undefined || waiting.owner === owner)
    this.#waiting = this.#waiting.filter((waiting) => !ended.includes(waiting))
    for (const { resolve } of ended) resolve(nothing)
  }

  #wake(): void {
    this.#waking = false
    while (this.#ready > 0) {
      const waiting = this.#waiting.shift()
      if (!waiting) return
      waiting.resolve(this.take(waiting.limit))
    }
  }

  // — Settled ————————————————————————————————————————————————————————————————————————————————————————————

  /** A message isn't in anybody's hands any more; where it goes from here is the caller's. */
  release(held: StoredMessage): void {
    held.taken = false
    this.#inHand--
    this.activity.inHand--
    this.activity.steps++
    if (this.activity.onEmpty.size > 0) this.#tellIfEmpty()
  }

  /** Drops everything; what is in hand can't be settled any more. */
  clear(): void {
    this.generation++
    this.#levels = newLevels()
    this.#ready = 0
    this.#delayed.clear()
    this.#schedule()
    this.activity.inHand -= this.#inHand
    this.activity.steps++
    this.#inHand = 0
    this.dead.clear()
    this.#tellIfEmpty()
  }

  #tellIfEmpty(): void {
    if (this.#ready + this.#delayed.size + this.#inHand > 0) return
    for (const tell of this.activity.onEmpty) tell()
  }
}

function newLevels(): readonly Level[] {
  return Array.from({ length: 10 }, () => new Level())
}
