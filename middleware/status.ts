/**
 * Records where messages with `trackStatus` are in their lives, for `message.status()`, `message.progress()` and
 * `message.logs()`: when they are sent, with each attempt, with each report of their actors, and with their end.
 *
 * Off by default, since each record is a write. A message that isn't tracked costs nothing.
 */
import type { Broker } from '../lib/broker.js'
import { refuseUnknown } from '../lib/checks.js'
import type { Duration } from '../lib/duration.js'
import type { Message } from '../lib/message.js'
import type { AnyActor, Middleware } from '../lib/middleware.js'
import { declareOptions, duration, effective, flag } from '../lib/options.js'
import type { PendingSettlement } from '../lib/settlement.js'
import type { SettlementStep, StoragePart } from '../lib/state/steps.js'
import { StatusRecorder } from '../lib/status/recorder.js'
import { isTracked, queuedStatus, recordWaiting } from '../lib/status/tracking.js'

declare module '../lib/actor-options.js' {
  interface MessageOptions {
    /**
     * Whether the status of messages is recorded, with the progress and the log that the actor reports.
     * @default false
     */
    trackStatus?: boolean | undefined
    /**
     * How long the status and the log are kept once the message has ended.
     * @default '1d'
     */
    statusTtl?: Duration | undefined
  }
}

declareOptions({
  // Whoever sends the message records it first.
  trackStatus: { wire: 'track_status', read: flag, stamp: (value) => value },
  statusTtl: { wire: 'status_ttl', read: duration },
})

export interface StatusOptions {
  /** The default for actors and messages; the same wherever messages are sent. @default false */
  trackStatus?: boolean | undefined
  /** The default for actors and messages. @default '1d' */
  statusTtl?: Duration | undefined
}

export class Status implements Middleware {
  readonly essential = true
  readonly onlyWithOptions: readonly string[] | undefined
  readonly #trackStatus: boolean
  readonly #statusTtl: number
  readonly #recorders = new WeakMap<Broker, StatusRecorder>()

  constructor(options: StatusOptions = {}) {
    refuseUnknown(options, ['trackStatus', 'statusTtl'], 'Status')
    const { trackStatus = false, statusTtl = '1d' } = options
    this.#trackStatus = flag(trackStatus, 'trackStatus')
    this.onlyWithOptions = this.#trackStatus ? undefined : ['trackStatus']
    this.#statusTtl = duration(statusTtl, 'statusTtl')
  }

  beforeStoreMessage(message: Message, _delay: number | undefined, broker: Broker): StoragePart | undefined {
    if (!isTracked(message, undefined, this.#trackStatus)) return undefined
    broker.stateFor('The status of a message')
    return {
      changes: [],
      record: ({ message: stored, delay }) => [recordWaiting(queuedStatus(stored, delay, broker), broker.clock.now())],
    }
  }

  beforeProcessMessage(message: Message, broker: Broker): void {
    const actor = broker.actors.get(message.actorName)
    if (isTracked(message, actor, this.#trackStatus)) this.#recorder(broker).start(message)
  }

  joinsSettlement(message: Message, actor: AnyActor | undefined): boolean {
    return isTracked(message, actor, this.#trackStatus)
  }

  beforeStoreSettlement(
    message: Message,
    settlement: PendingSettlement,
    step: SettlementStep,
    broker: Broker,
  ): Promise<void> | undefined {
    const actor = broker.actors.get(message.actorName)
    if (!this.joinsSettlement(message, actor)) return undefined
    const ttl = effective(message, actor, 'statusTtl', this.#statusTtl)
    return this.#recorder(broker).settle(message, settlement, step, ttl)
  }

  afterInterruptMessage(message: Message, broker: Broker): Promise<void> | undefined {
    const actor = broker.actors.get(message.actorName)
    return this.joinsSettlement(message, actor) ? this.#recorder(broker).requeue(message) : undefined
  }

  #recorder(broker: Broker): StatusRecorder {
    let recorder = this.#recorders.get(broker)
    if (!recorder) {
      recorder = new StatusRecorder(broker)
      this.#recorders.set(broker, recorder)
    }
    return recorder
  }
}
