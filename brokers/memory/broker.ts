/** The in-memory broker: the reference for the others, and for tests. Its messages are lost with the process. */
import { Broker, type BrokerOptions, brokerOptionNames } from '../../lib/broker.js'
import { cancellationsKey } from '../../lib/cancellation/marks.js'
import { refuseUnknown } from '../../lib/checks.js'
import type { Consumer, DeadLetterPage, Delivery, QueueStats, ScannedMessage } from '../../lib/consumer.js'
import type { Duration } from '../../lib/duration.js'
import type { Body } from '../../lib/encoder.js'
import { mainThread } from '../../lib/main-thread.js'
import type { Message } from '../../lib/message.js'
import type { Entry } from '../../lib/outcome.js'
import { canonicalQueueName } from '../../lib/queue-names.js'
import type { StateBackend } from '../../lib/state/backend.js'
import { nothingToReplace, type Refusal, type StateChange } from '../../lib/state/changes.js'
import { MainThreadState } from '../../lib/state/main-thread-state.js'
import type { ConditionalEntry } from '../../lib/state/steps.js'
import { parseDuration, startTimer } from '../../lib/time.js'
import { VirtualClock } from '../../lib/virtual-clock.js'
import { defaultMiddleware } from '../../middleware/defaults.js'
import { MemoryConsumer, type Prepare } from './consumer.js'
import { Activity, MemoryQueue } from './queue.js'
import { MemoryResults } from './results.js'
import { MemoryState } from './state.js'
import { readPriority, StoredMessage } from './stored-message.js'

const done = Promise.resolve()

/** How many messages are scanned before other code gets its turn. */
const scanPage = 500

/**
 * Keeps queues in the memory of this process: for tests, and for work that may be lost with the process. It has the
 * default middleware, with results in memory. Sends of worker threads go through the main thread.
 *
 * Messages are stored encoded, as on any other broker, so that what JSON can't represent fails here as well.
 *
 * @example
 * const broker = new MemoryBroker()
 * await remind.sendWithOptions({ args: ['milk'], delay: '1h' })
 * await broker.advance('1h')
 * await broker.join('default')
 */
export class MemoryBroker extends Broker {
  /** Runs with real time, until `advance` moves it ahead. */
  override readonly clock: VirtualClock
  protected override readonly reachesThreads = false
  readonly #activity: Activity
  readonly #queues = new Map<string, MemoryQueue>()

  /** @throws {InvalidOption} */
  constructor(options: BrokerOptions = {}) {
    refuseUnknown(options, brokerOptionNames, 'a MemoryBroker')
    const activity = new Activity()
    const clock = new VirtualClock({ progress: () => activity.steps, busy: () => activity.unacked > 0 })
    super({
      ...options,
      middleware:
        options.middleware === undefined
          ? defaultMiddleware({ results: new MemoryResults({ clock }) })
          : options.middleware,
    })
    this.#activity = activity
    this.clock = clock
  }

  override get location(): string {
    return 'memory:'
  }

  /**
   * Moves the clock ahead: delays, backoffs, time limits and times to live that end within `duration` end now, one by
   * one in their order. Each sees its own time as the present, and its consequences (a message that runs, fails and is
   * delayed again) are awaited before the next.
   */
  async advance(duration: Duration): Promise<void> {
    this.assertOpen()
    await this.clock.advance(parseDuration(duration, 'duration'))
  }

  protected store(entries: readonly Entry[]): Promise<void> {
    for (const stored of this.#prepare(entries)) stored.queue.add(stored)
    return done
  }

  /** Encodes everything before anything is stored, so that it is all or none. */
  readonly #prepare: Prepare = (entries) => {
    this.assertOpen()
    return entries.map((entry) => {
      const { message, delay } = entry
      const queue = this.#queue(canonicalQueueName(message.queueName))
      const due = delay ? this.clock.now() + delay : 0
      const priority = readPriority(message.options.broker_priority)
      return new StoredMessage(queue, this.encode(entry), priority, due, 0, entry.handle)
    })
  }

  protected override makeState(): StateBackend {
    if (mainThread()) return new MainThreadState()
    return new MemoryState({ clock: this.clock })
  }

  protected override async storeIf(entries: readonly ConditionalEntry[]): Promise<readonly (Refusal | undefined)[]> {
    const prepared = entries.map(({ entry, others = [] }) => this.#prepare([entry, ...others]))
    const state = this.state as MemoryState
    return entries.map(({ changes, replaces }, index) => {
      const messages = prepared[index] as readonly StoredMessage[]
      const { queue } = messages[0] as StoredMessage
      // The changes come first: if the message has ended meanwhile, its key tells so.
      const refusal = state.refusal(changes)
      if (refusal) return refusal
      if (replaces !== undefined && !queue.removeWaiting(replaces)) return nothingToReplace
      state.applyNow(changes)
      for (const stored of messages) stored.queue.add(stored)
      return undefined
    })
  }

  #change(changes: readonly StateChange[]): Refusal | undefined {
    return (this.state as MemoryState).applyNow(changes)
  }

  #queue(name: string): MemoryQueue {
    let queue = this.#queues.get(name)
    if (!queue) {
      queue = new MemoryQueue(name, this.clock, this.#activity, this.deadMessageTtl)
      this.#queues.set(name, queue)
    }
    return queue
  }

  protected makeConsumer(queueName: string): Consumer {
    return new MemoryConsumer({
      queue: this.#queue(queueName),
      prepare: this.#prepare,
      change: (changes) => this.#change(changes),
      hasCancellations: () => this.hasOwnState && (this.state as MemoryState).has(cancellationsKey),
    })
  }

  protected override async *scan(
    queueName: string,
    { containing }: { containing?: string | undefined },
  ): AsyncGenerator<readonly ScannedMessage[]> {
    const messages = this.#queues.get(queueName)?.messages()
    for (const state of ['delayed', 'ready', 'held'] as const) {
      const all = messages?.[state] ?? []
      for (let at = 0; at < all.length; at += scanPage) {
        const page = all.slice(at, at + scanPage).filter(({ body }) => contains(body, containing))
        yield page.map((stored) => ({ body: stored.body, state, ref: stored }))
        // Other code gets its turn.
        if (at + scanPage < all.length) await new Promise(setImmediate)
      }
    }
  }

  protected override async runNow(queueName: string, refs: readonly unknown[]): Promise<void> {
    this.#queues.get(queueName)?.runNow(new Set(refs))
  }

  protected async readStats(queueName: string): Promise<QueueStats> {
    return this.statsNow(queueName)
  }

  /** The same, at once. */
  protected statsNow(queueName: string): QueueStats {
    return this.#queues.get(queueName)?.stats() ?? { ready: 0, delayed: 0, inFlight: 0, dead: 0 }
  }

  /** When the first delayed message of a queue is due, in milliseconds since the epoch. */
  protected nextDue(queueName: string): number | undefined {
    return this.#queues.get(queueName)?.nextDue
  }

  /** Stores a message and takes this very message; a consumer of its queue can settle it. */
  protected storeTaken(message: Message): Delivery {
    const [stored] = this.#prepare([{ message }]) as [StoredMessage]
    stored.queue.addTaken(stored)
    return stored
  }

  protected async clear(queueName: string): Promise<void> {
    this.#queues.get(queueName)?.clear()
  }

  protected async readDeadLetters(
    queueName: string,
    limit: number,
    cursor: string | undefined,
  ): Promise<DeadLetterPage> {
    return this.#queue(queueName).dead.page(limit, cursor)
  }

  protected async takeDeadLetter(id: string, then: 'requeue' | 'delete'): Promise<boolean> {
    for (const queue of this.#queues.values()) {
      const found = queue.dead.find(id)
      if (found && then === 'requeue') await this.forgetResult(found.body)
      const stored = queue.dead.remove(id)
      if (!stored) continue
      if (then === 'requeue') queue.add(new StoredMessage(queue, this.revive(stored.body), stored.priority, 0))
      return true
    }
    return false
  }

  /** Resolves as soon as a queue has become empty. */
  protected override changed(pause: number): Promise<void> {
    return new Promise((resolve) => {
      const { onEmpty } = this.#activity
      const back = (): void => {
        clearTimeout(timer)
        onEmpty.delete(back)
        resolve()
      }
      const timer = startTimer(back, pause)
      onEmpty.add(back)
    })
  }

  protected async closeStore(): Promise<void> {
    for (const queue of this.#queues.values()) {
      queue.endWaits()
      queue.clear()
    }
  }
}

function contains(body: Body, text: string | undefined): boolean {
  if (text === undefined) return true
  return typeof body === 'string'
    ? body.includes(text)
    : Buffer.from(body.buffer, body.byteOffset, body.length).includes(text)
}
