/**
 * The worker's side of cancellations: it watches the marks, interrupts running messages that are marked, and looks each
 * message up before it runs while there are marks. Without any, nothing is looked up.
 */
import type { Broker } from '../broker.js'
import { getLogger } from '../logger.js'
import type { Message } from '../message.js'
import { pause, startTimer } from '../time.js'
import { TurnBatch } from '../turn-batch.js'
import { interrupt } from '../worker/interrupt.js'
import { deliveryOf } from '../worker/running-messages.js'
import type { WorkerContract } from '../worker-contract.js'
import type { CancelledMessages } from './cancelled-messages.js'
import { removeExpiredMarks } from './expired-marks.js'
import { cancellationsKey, isCancellable, readMarks, scopesOf } from './marks.js'
import { RecentFailures } from './recent-failures.js'
import { search } from './search.js'

/** When marks that have expired are removed for the first time, and how often after that, in milliseconds. */
const firstSweep = 60_000
const sweepInterval = 600_000

/** How long it may take until a worker hears of a cancellation, in milliseconds. */
const latency = 100

/** How long to wait after the marks could not be read, in milliseconds. */
const retryPause = 1000

/** How often it is looked whether retries are stored, and the time between, in milliseconds. */
const maxAttempts = 10
const attemptPause = 200

/** How many messages are looked up in one call. */
const batchSize = 500

export class CancellationWatch {
  readonly #broker: Broker
  readonly #grace: number
  readonly #workers = new Set<WorkerContract>()
  /** Whether there are marks, as far as it is known here. */
  #active = false
  readonly #cancelled: CancelledMessages
  readonly #failures = new RecentFailures()
  /** The ids whose delayed messages are being made due. */
  readonly #hurried = new Set<string>()
  readonly #lookups = new TurnBatch<Message>((messages) => this.#lookUp(messages), { most: batchSize, eager: true })
  #stop: (() => void) | undefined
  #reading = false
  #changed = false
  #retryTimer: NodeJS.Timeout | undefined
  #sweepTimer: NodeJS.Timeout | undefined

  /**
   * @param grace How long a running actor has to finish, in milliseconds.
   * @param cancelled Where cancelled messages are noted.
   */
  constructor(broker: Broker, grace: number, cancelled: CancelledMessages) {
    this.#broker = broker
    this.#grace = grace
    this.#cancelled = cancelled
  }

  /** Called before a worker starts. */
  begin(worker: WorkerContract): void {
    this.#workers.add(worker)
    this.#stop ??= this.#broker.state?.watch(cancellationsKey, () => this.#onChange(), { latency })
  }

  /** Called when a worker has stopped. */
  end(worker: WorkerContract): void {
    this.#workers.delete(worker)
    if (this.#workers.size > 0) return
    this.#stop?.()
    this.#stop = undefined
    clearTimeout(this.#retryTimer)
    clearTimeout(this.#sweepTimer)
    this.#sweepTimer = undefined
    this.#active = false
  }

  /** Whether no worker needs it. */
  get isOver(): boolean {
    return this.#workers.size === 0
  }

  // — Messages that are about to run ———————————————————————————————————————————————————————————————————————

  /** Whether a message may be marked. */
  mayBeCancelled(message: Message): boolean {
    return this.#active || deliveryOf(message)?.mayBeCancelled === true
  }

  /** @throws {CancelledError} if the message is marked. */
  async check(message: Message): Promise<void> {
    if (!isCancellable(message)) return
    await this.#lookups.add(message)
    const error = this.#cancelled.errorOf(message)
    if (error) throw error
  }

  async #lookUp(messages: readonly Message[]): Promise<void> {
    const marks = await readMarks(this.#broker.stateFor('Cancelling a message'), idsOf(messages))
    if (marks.size === 0) return
    for (const message of messages) this.#cancelled.note(message, marks)
  }

  /** Called when a message has failed. */
  failed(message: Message): void {
    this.#failures.add(message)
  }

  // — Marks that come and go ———————————————————————————————————————————————————————————————————————————————

  #onChange(): void {
    this.#changed = true
    if (!this.#reading) void this.#read()
  }

  async #read(): Promise<void> {
    this.#reading = true
    while (this.#changed && this.#workers.size > 0) {
      this.#changed = false
      try {
        await this.#react()
      } catch (error) {
        if (this.#broker.closed) break
        getLogger().warn({ err: error }, 'The cancelled messages could not be read; trying again')
        // A message that was prefetched before must not run unseen.
        this.#active = true
        clearTimeout(this.#retryTimer)
        this.#retryTimer = startTimer(() => this.#onChange(), retryPause).unref()
      }
    }
    this.#reading = false
  }

  async #react(): Promise<void> {
    const state = this.#broker.stateFor('Cancelling a message')
    const active = (await state.size(cancellationsKey)) > 0
    // First: what starts from now on is looked up, and what has started before is among the running messages.
    this.#active = active
    if (!active) return
    this.#sweepTimer ??= startTimer(() => void this.#sweep(), firstSweep).unref()
    const running = [...this.#workers].flatMap((worker) => [...worker.messages])
    const marks = await readMarks(state, idsOf([...running, ...this.#failures.messages]))
    if (marks.size === 0) return
    for (const message of running) {
      const error = this.#cancelled.note(message, marks)
      if (error) interrupt(message, error, { grace: this.#grace })
    }
    for (const id of idsOf(this.#failures.messages)) if (marks.has(id)) void this.#hurry(id)
  }

  /** Makes the delayed messages with this id, or of this group, due: when none is held, all retries are stored. */
  async #hurry(id: string): Promise<void> {
    const { queueSearch, queues } = this.#broker
    if (!queueSearch || this.#hurried.has(id)) return
    this.#hurried.add(id)
    const wanted = { containing: id, includes: (message: Message) => scopesOf(message).includes(id) }
    try {
      for (let attempt = 0; attempt < maxAttempts; attempt++) {
        const { held } = await search(queueSearch, queues, wanted, { runNow: true })
        if (held.size === 0) break
        await pause(attemptPause)
      }
    } catch (error) {
      if (!this.#broker.closed) getLogger().warn({ err: error, id }, 'Cancelled messages were not made due')
    }
    this.#hurried.delete(id)
  }

  async #sweep(): Promise<void> {
    const { state } = this.#broker
    try {
      if (state && (await removeExpiredMarks(state)) > 0) this.#onChange()
    } catch (error) {
      getLogger().debug({ err: error }, 'Expired marks of cancelled messages could not be removed')
    }
    this.#sweepTimer = undefined
    if (this.#active && !this.isOver) this.#sweepTimer = startTimer(() => void this.#sweep(), sweepInterval).unref()
  }
}

function idsOf(messages: readonly Message[]): string[] {
  return [...new Set(messages.flatMap(scopesOf))]
}
