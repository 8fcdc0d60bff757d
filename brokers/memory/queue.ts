/**
 * One queue in memory: ready messages by priority, delayed ones by time, and the waiting consumers. It never decodes a
 * message. Dead letters are kept separately.
 */
import type { QueueStats, ScannedMessage } from '../../lib/consumer.js'
import { Heap } from '../../lib/heap.js'
import type { Clock } from '../../lib/time.js'
import { DeadLetters } from './dead-letters.js'
import { Fifo } from './fifo.js'
import type { StoredMessage } from './stored-message.js'

/** State of all queues of a broker, for the clock and for `join`. */
export class Activity {
  /** Increases with every step. */
  steps = 0
  /** The number of unacked messages. */
  unacked = 0
  /** Called when a queue has become empty. */
  readonly onEmpty = new Set<() => void>()
}

interface WaitingTake {
  readonly owner: object
  readonly limit: number
  readonly resolve: (batch: readonly StoredMessage[]) => void
}

/** The messages of one priority, in order of arrival; requeued ones come first. */
class Level {
  readonly waiting = new Fifo<StoredMessage>()
  /** Requeued messages by their former position; nearly always empty. */
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
  #unacked = 0
  /** The first of the unacked messages, which are linked. */
  #firstUnacked: StoredMessage | undefined
  #order = 0
  /** The waiting messages that can be found by a handle. */
  readonly #byHandle = new Map<string, StoredMessage>()
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
    return { ready: this.#ready, delayed: this.#delayed.size, inFlight: this.#unacked, dead: this.dead.size }
  }

  // — In —————————————————————————————————————————————————————————————————————————————————————————————————

  /** Stores a message: as ready, or as delayed until it is due. */
  add(stored: StoredMessage): void {
    if (stored.handle !== undefined) this.#byHandle.set(stored.handle, stored)
    if (stored.due > 0) this.#addDelayed(stored)
    else this.#addReady(stored)
  }

  /** Puts a message back at its former position. */
  requeue(stored: StoredMessage, order: number): void {
    stored.order = order
    if (stored.handle !== undefined) this.#byHandle.set(stored.handle, stored)
    this.#level(stored).returned.push(stored, order)
    this.#notifyReady()
  }

  #addReady(stored: StoredMessage): void {
    stored.order = this.#order++
    this.#level(stored).waiting.push(stored)
    this.#notifyReady()
  }

  /** All messages but the dead letters, by their state. */
  messages(): Readonly<Record<ScannedMessage['state'], readonly StoredMessage[]>> {
    const ready = this.#levels.flatMap(({ waiting, returned }) => [...returned.items(), ...waiting.items()])
    const held: StoredMessage[] = []
    for (let one = this.#firstUnacked; one; one = one.next) held.push(one)
    return { ready, delayed: this.#delayed.items(), held }
  }

  /** Whether a message with that handle waits. */
  waits(handle: string): boolean {
    return this.#byHandle.has(handle)
  }

  /** Removes a message that waits, by its handle. Returns whether it did. */
  removeWaiting(handle: string): boolean {
    const stored = this.#byHandle.get(handle)
    if (!stored) return false
    this.#remove(stored)
    return true
  }

  /** Makes delayed messages ready. */
  runNow(messages: ReadonlySet<unknown>): void {
    const due = this.#delayed.items().filter((stored) => messages.has(stored))
    if (due.length === 0) return
    this.#delayed.sweep((stored) => !messages.has(stored))
    this.#schedule()
    for (const stored of due) this.#addReady(stored)
  }

  #remove(stored: StoredMessage): void {
    if (stored.handle !== undefined) this.#byHandle.delete(stored.handle)
    const level = this.#level(stored)
    if (level.waiting.remove(stored)) this.#ready--
    else if (level.returned.items().includes(stored)) {
      level.returned.sweep((other) => other !== stored)
      this.#ready--
    } else {
      this.#delayed.sweep((other) => other !== stored)
      this.#schedule()
    }
  }

  #notifyReady(): void {
    this.#ready++
    this.activity.steps++
    if (this.#waiting.length === 0 || this.#waking) return
    // Deferred, so that the sends of one turn of the event loop are delivered as one batch.
    this.#waking = true
    setImmediate(() => this.#wake())
  }

  #level({ priority }: StoredMessage): Level {
    return this.#levels[priority] as Level
  }

  // — Delays —————————————————————————————————————————————————————————————————————————————————————————————

  #addDelayed(stored: StoredMessage): void {
    this.activity.steps++
    this.#delayed.push(stored, stored.due)
    if (stored.due < this.#timerAt) this.#schedule()
  }

  /** When the first delayed message is due, in milliseconds since the epoch. */
  get nextDue(): number | undefined {
    return this.#delayed.size > 0 ? this.#delayed.peekRank() : undefined
  }

  /** One timer for all delayed messages. */
  #schedule(): void {
    this.clock.clearTimeout(this.#timer)
    this.#timerAt = this.#delayed.peekRank()
    if (this.#timerAt === Number.POSITIVE_INFINITY) return
    this.#timer = this.clock.setTimeout(() => this.#promote(), this.#timerAt - this.clock.now())
  }

  #promote(): void {
    const now = this.clock.now()
    while (this.#delayed.peekRank() <= now) this.#addReady(this.#delayed.pop() as StoredMessage)
    this.#schedule()
  }

  // — Out ————————————————————————————————————————————————————————————————————————————————————————————————

  /** Takes ready messages. */
  take(limit: number): readonly StoredMessage[] {
    let wanted = Math.min(limit, this.#ready)
    if (wanted <= 0) return nothing
    this.#ready -= wanted
    this.#unacked += wanted
    this.activity.unacked += wanted
    this.activity.steps++
    const batch: StoredMessage[] = []
    for (let priority = 9; wanted > 0; priority--) {
      const level = this.#levels[priority] as Level
      for (let stored = level.shift(); stored; stored = wanted > 0 ? level.shift() : undefined) {
        this.#hold(stored)
        if (stored.handle !== undefined) this.#byHandle.delete(stored.handle)
        batch.push(stored)
        wanted--
      }
    }
    return batch
  }

  /** Stores a message that is unacked from the start. */
  addTaken(stored: StoredMessage): void {
    this.#hold(stored)
    this.#unacked++
    this.activity.unacked++
    this.activity.steps++
  }

  #hold(stored: StoredMessage): void {
    stored.taken = true
    stored.deliveryCount++
    const first = this.#firstUnacked
    stored.next = first
    if (first) first.previous = stored
    this.#firstUnacked = stored
  }

  #unlink(stored: StoredMessage): void {
    const { previous, next } = stored
    if (previous) previous.next = next
    else this.#firstUnacked = next
    if (next) next.previous = previous
    stored.previous = undefined
    stored.next = undefined
  }

  /** Waits for messages, on behalf of `owner`. */
  wait(limit: number, owner: object): Promise<readonly StoredMessage[]> {
    return new Promise((resolve) => this.#waiting.push({ owner, limit, resolve }))
  }

  /** Ends every wait of `owner`, or all waits. */
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

  /** A message is no longer unacked; the caller decides where it goes. */
  release(stored: StoredMessage): void {
    stored.taken = false
    this.#unlink(stored)
    this.#unacked--
    this.activity.unacked--
    this.activity.steps++
    if (this.activity.onEmpty.size > 0) this.#notifyIfEmpty()
  }

  /** Removes everything; unacked messages can't be settled any more. */
  clear(): void {
    this.generation++
    this.#levels = newLevels()
    this.#ready = 0
    this.#delayed.clear()
    this.#byHandle.clear()
    this.#schedule()
    this.activity.unacked -= this.#unacked
    this.activity.steps++
    this.#unacked = 0
    this.#firstUnacked = undefined
    this.dead.clear()
    this.#notifyIfEmpty()
  }

  #notifyIfEmpty(): void {
    if (this.#ready + this.#delayed.size + this.#unacked > 0) return
    for (const listener of this.activity.onEmpty) listener()
  }
}

function newLevels(): readonly Level[] {
  return Array.from({ length: 10 }, () => new Level())
}
