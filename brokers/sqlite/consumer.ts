/**
 * Consumes one queue for a worker of this process: takes in batches, settles the deliveries of one turn of the event
 * loop together, and waits until there are messages.
 */
import { cancellationsKey } from '../../lib/cancellation/marks.js'
import type { Consumer, DeadLetterReason, Delivery, StateSettlement } from '../../lib/consumer.js'
import type { Body } from '../../lib/encoder.js'
import { BrokerError } from '../../lib/errors.js'
import type { Entry } from '../../lib/outcome.js'
import type { Refusal } from '../../lib/state/changes.js'
import type { Connection } from './connection/connection.js'
import { Write } from './connection/write.js'
import { codeOf } from './driver/driver.js'
import { insertRows, isIdle, type NewRow, type ReadyRow, takeRows } from './rows.js'
import { changeState } from './state-table.js'
import type { Statements } from './statements.js'
import type { Lease } from './workers/lease.js'

/** How long a take waits for the lock, in milliseconds. */
const lockTimeout = 5000

const done = Promise.resolve()

/** Settles a delivery; changes nothing if its worker no longer holds it. */
type Settle = (statements: Statements, delivery: SQLiteDelivery) => { readonly changes: number | bigint }

const remove: Settle = (statements, { id, holder }) => statements.remove.run(id, holder)

export class SQLiteDelivery implements Delivery {
  settled = false

  constructor(
    readonly queueName: string,
    readonly body: Body,
    readonly deliveryCount: number,
    readonly priority: number,
    /** The row, and the worker that holds it. */
    readonly id: number,
    readonly holder: number,
    readonly mayBeCancelled: boolean,
  ) {}
}

export interface ConsumerContext {
  readonly connection: Connection
  readonly lease: Lease
  readonly deadMessageTtl: number
  /** Converts messages to rows; throws for an invalid one. */
  toRows(entries: readonly Entry[]): readonly NewRow[]
  /** Wakes the waits on the queues of these rows. */
  wake(rows: readonly NewRow[]): void
  closed(consumer: SQLiteConsumer): void
}

export class SQLiteConsumer implements Consumer {
  readonly #context: ConsumerContext
  #closed = false
  /** Whether the last take failed. The next one then returns without a wait, so that the worker learns that the store works. */
  #failed = false
  #acks: { write: Write<void>; deliveries: SQLiteDelivery[] } | undefined

  constructor(
    readonly queueName: string,
    context: ConsumerContext,
  ) {
    this.#context = context
  }

  // — Taking —————————————————————————————————————————————————————————————————————————————————————————————

  async take(limit: number): Promise<readonly Delivery[]> {
    while (!this.#closed && limit > 0) {
      const deliveries = await this.#tryToTake(limit).catch((error) => {
        this.#failed = true
        throw error
      })
      const isRetry = this.#failed
      this.#failed = false
      if (deliveries.length > 0 || this.#closed || isRetry) return deliveries
      await this.#context.connection.queueWaits.wait(this.queueName)
    }
    return []
  }

  async #tryToTake(limit: number): Promise<readonly Delivery[]> {
    const { connection, lease } = this.#context
    if (lease.id === undefined) await lease.register()
    const holder = lease.id
    if (holder === undefined) return []
    let registered = true
    let mayBeCancelled = false
    const run = (statements: Statements): readonly ReadyRow[] => {
      if (this.#closed) return []
      // A worker that was removed as lost must not take: no other worker would recover its messages.
      registered = statements.isRegistered.get(holder) !== undefined
      if (!registered) return []
      const rows = takeRows(statements, this.queueName, holder, limit)
      // In the step that takes the messages: one that is marked before it is taken won't run.
      mayBeCancelled = rows.length > 0 && statements.sizeOfSet.get(cancellationsKey, Date.now()) !== undefined
      return rows
    }
    const rows = await connection
      .write(run, {
        isIdle: (statements) => this.#closed || isIdle(statements, this.queueName),
        idleValue: [],
        lockTimeout,
      })
      .catch((error) => {
        // On a full disk, many rows may not fit into the index of held rows where one does. Taking messages is what
        // frees space.
        if (limit > 1 && error instanceof BrokerError && codeOf(error.cause) === 'FULL') return undefined
        throw error
      })
    if (!rows) return this.#tryToTake(1)
    if (!registered) {
      await lease.register(holder)
      return this.#tryToTake(limit)
    }
    return rows.map(
      ({ body, deliveries, priority, id }) =>
        new SQLiteDelivery(this.queueName, body, deliveries + 1, priority, id, holder, mayBeCancelled),
    )
  }

  // — Settling ———————————————————————————————————————————————————————————————————————————————————————————

  async begin(delivery: Delivery): Promise<void> {
    const { id, holder } = delivery as SQLiteDelivery
    await this.#context.connection.write((statements) => void statements.start.run(id, holder), { persistent: true })
  }

  /** The deliveries of a batch share one promise, which the worker makes use of. */
  ack(delivery: Delivery, sends: readonly Entry[]): Promise<void> {
    if (sends.length === 0) return this.#markSettled(delivery) ? done : this.#acknowledge(delivery as SQLiteDelivery)
    return this.#settle(delivery, sends, remove)
  }

  async deadLetter(
    delivery: Delivery,
    { reason, traceback }: DeadLetterReason,
    sends: readonly Entry[],
  ): Promise<void> {
    await this.#settle(delivery, sends, this.#bury({ reason, traceback }))
  }

  /** Moves a message to the dead letters. */
  #bury({ reason, traceback }: DeadLetterReason): Settle {
    const now = Date.now()
    const expiry = now + this.#context.deadMessageTtl
    return (statements, { id, holder }) => {
      statements.insertDeadLetter.run(reason, traceback ?? null, now, expiry, id, holder)
      return statements.remove.run(id, holder)
    }
  }

  async settleWith(delivery: Delivery, { letter, sends, changes }: StateSettlement): Promise<Refusal | undefined> {
    const { connection, toRows, wake } = this.#context
    const rows = toRows(sends)
    if (this.#markSettled(delivery)) return undefined
    const settle = letter ? this.#bury(letter) : remove
    const run = (statements: Statements): Refusal | undefined => {
      const { id, holder } = delivery as SQLiteDelivery
      if (statements.isHeld.get(id, holder) === undefined) return undefined
      const refusal = changeState(statements, changes)
      if (refusal) return refusal
      settle(statements, delivery as SQLiteDelivery)
      insertRows(statements, rows)
      return undefined
    }
    let settled = false
    try {
      const refusal = await connection.write(run, { persistent: true })
      settled = refusal === undefined
      if (settled) connection.stateWatches.changed(changes)
      return refusal
    } finally {
      ;(delivery as SQLiteDelivery).settled = settled
      if (settled) wake(rows)
    }
  }

  async requeue(
    delivery: Delivery,
    { counted = false, delay = 0 }: { counted?: boolean; delay?: number } = {},
  ): Promise<void> {
    const dueAt = Date.now() + delay
    await this.#settle(delivery, [], (statements, { id, holder }) => {
      if (delay === 0) return (counted ? statements.giveBackCounted : statements.giveBack).run(id, holder)
      statements.postpone.run(counted ? 0 : 1, dueAt, id, holder)
      return statements.remove.run(id, holder)
    })
    this.#context.connection.queueWaits.wake(this.queueName)
  }

  /** Runs a settlement and, if the delivery was still held, stores `sends`, in one transaction. */
  async #settle(delivery: Delivery, sends: readonly Entry[], settle: Settle): Promise<void> {
    const { connection, toRows, wake } = this.#context
    const rows = toRows(sends)
    if (this.#markSettled(delivery)) return
    const run = (statements: Statements): void => {
      if (Number(settle(statements, delivery as SQLiteDelivery).changes) > 0) insertRows(statements, rows)
    }
    try {
      await connection.write(run, { persistent: true })
    } catch (error) {
      ;(delivery as SQLiteDelivery).settled = false
      throw error
    }
    wake(rows)
  }

  /** Marks a delivery as settled; returns whether it already was. */
  #markSettled(delivery: Delivery): boolean {
    const { settled } = delivery as SQLiteDelivery
    ;(delivery as SQLiteDelivery).settled = true
    return settled
  }

  /** Most messages end here: those of one turn are one statement. */
  #acknowledge(delivery: SQLiteDelivery): Promise<void> {
    this.#acks ??= this.#openAcks()
    const { write, deliveries } = this.#acks
    write.rows = deliveries.push(delivery)
    return write.promise
  }

  #openAcks(): { write: Write<void>; deliveries: SQLiteDelivery[] } {
    const deliveries: SQLiteDelivery[] = []
    const run = (statements: Statements): void => {
      for (const [holder, ids] of byHolder(deliveries)) statements.acknowledge.run(JSON.stringify(ids), holder)
    }
    const begin = (): void => {
      this.#acks = undefined
    }
    const write = new Write(run, { persistent: true, begin })
    this.#context.connection.add(write).catch(() => {
      for (const delivery of deliveries) delivery.settled = false
    })
    return { write, deliveries }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#context.connection.queueWaits.wake(this.queueName)
    this.#context.closed(this)
  }
}

/** Nearly always one holder; after a lost lease there may be two. */
function byHolder(deliveries: readonly SQLiteDelivery[]): Map<number, number[]> {
  const groups = new Map<number, number[]>()
  for (const { id, holder } of deliveries) {
    const ids = groups.get(holder)
    if (ids) ids.push(id)
    else groups.set(holder, [id])
  }
  return groups
}
