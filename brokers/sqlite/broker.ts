/**
 * The embedded broker: a SQLite file shared by every process and thread of a machine. It stores messages, reads counts
 * and dead letters; its consumers consume, and its connection writes and waits for the lock.
 */
import { Broker, type BrokerOptions, badCursor, brokerOptionNames } from '../../lib/broker.js'
import { refuseUnknown } from '../../lib/checks.js'
import type { Consumer, DeadLetterPage, QueueStats, ScannedMessage } from '../../lib/consumer.js'
import type { Duration } from '../../lib/duration.js'
import type { Body } from '../../lib/encoder.js'
import { EnqueueTimeout, InvalidOption } from '../../lib/errors.js'
import { duration } from '../../lib/options.js'
import type { Entry } from '../../lib/outcome.js'
import { canonicalQueueName } from '../../lib/queue-names.js'
import type { StateBackend } from '../../lib/state/backend.js'
import { nothingToReplace, type Refusal } from '../../lib/state/changes.js'
import type { ConditionalEntry } from '../../lib/state/steps.js'
import { Deadline } from '../../lib/time.js'
import { defaultMiddleware } from '../../middleware/defaults.js'
import type { Connection } from './connection/connection.js'
import { openConnection, type SQLiteFileOptions } from './connection/file-options.js'
import { Write } from './connection/write.js'
import { type ConsumerContext, SQLiteConsumer } from './consumer.js'
import { SQLiteResults } from './results.js'
import { insertRows, type NewRow, priorityOf, removeWaiting } from './rows.js'
import { runNow, scanQueue } from './scanning.js'
import { SQLiteState } from './state.js'
import { changeState, refusalOfChanges } from './state-table.js'
import type { Statements } from './statements.js'
import { Lease } from './workers/lease.js'

export interface SQLiteBrokerOptions extends BrokerOptions, SQLiteFileOptions {
  /**
   * How long a worker may be silent before its messages are given to other workers; it renews its lease six times as
   * often. This is for processes that hang or are stopped: the end of a process is detected within a second, whatever
   * the value is.
   * @default '1m'
   */
  heartbeatTimeout?: Duration | undefined
}

/**
 * A broker in a SQLite file. Opens the file on first use.
 *
 * @example const broker = new SQLiteBroker({ path: '/var/lib/app/queue.db', synchronous: 'full' })
 * @throws {DependencyMissing} if this Node has no SQLite (22.13 and later have) and neither `better-sqlite3` nor
 * `libsql` is installed.
 */
export class SQLiteBroker extends Broker {
  protected override readonly reachesThreads = true
  readonly #file: SQLiteFileOptions
  readonly #connection: Connection
  readonly #lease: Lease
  readonly #consumers = new Set<SQLiteConsumer>()
  readonly #context: ConsumerContext
  #sends: { write: Write<void>; rows: NewRow[] } | undefined

  constructor(options: SQLiteBrokerOptions = {}) {
    refuseUnknown(options, [...brokerOptionNames, 'path', 'synchronous', 'heartbeatTimeout'], 'SQLiteBroker')
    const { path, synchronous, heartbeatTimeout = '1m', ...rest } = options
    const timeout = duration(heartbeatTimeout, 'heartbeatTimeout')
    if (timeout < 100)
      throw new InvalidOption(`Expected "heartbeatTimeout" to be 100 ms or more; got ${timeout}.`, 'heartbeatTimeout')
    super({
      ...rest,
      middleware:
        rest.middleware === undefined
          ? defaultMiddleware({ results: new SQLiteResults({ path, synchronous }) })
          : rest.middleware,
    })
    this.#file = { path, synchronous }
    this.#connection = openConnection(this.#file)
    this.#lease = new Lease(this.#connection, timeout)
    this.#context = {
      connection: this.#connection,
      lease: this.#lease,
      deadMessageTtl: this.deadMessageTtl,
      toRows: (entries) => entries.map((entry) => this.#toRow(entry)),
      wake: (rows) => this.#wake(rows),
      closed: (consumer) => void this.#consumers.delete(consumer),
    }
  }

  override get location(): string {
    return `sqlite:${this.path}`
  }

  /** The file, as an absolute path. */
  get path(): string {
    return this.#connection.path
  }

  // — Sending ————————————————————————————————————————————————————————————————————————————————————————————

  protected override store(entries: readonly Entry[]): Promise<void> {
    // All are encoded before one is added: a message that is refused only affects the messages of the same call.
    const added = entries.map((entry) => this.#toRow(entry))
    if (!this.#sends) {
      this.#connection.assertSpace()
      this.#sends = this.#openSends()
    }
    const { write, rows } = this.#sends
    for (const row of added) rows.push(row)
    write.rows = rows.length
    // Enough for a transaction; the next send begins another.
    if (rows.length >= 500) this.#sends = undefined
    return write.promise
  }

  #toRow(entry: Entry): NewRow {
    const { message, delay } = entry
    return {
      queueName: canonicalQueueName(message.queueName),
      priority: priorityOf(message),
      body: this.encode(entry),
      dueAt: delay ? Date.now() + delay : undefined,
      handle: entry.handle,
    }
  }

  protected override makeState(): StateBackend {
    return new SQLiteState(this.#file)
  }

  protected override async storeIf(entries: readonly ConditionalEntry[]): Promise<readonly (Refusal | undefined)[]> {
    this.#connection.assertSpace()
    const rows = entries.map(({ entry, others = [] }) => [entry, ...others].map((one) => this.#toRow(one)))
    const storeEach = (statements: Statements): (Refusal | undefined)[] =>
      entries.map(({ changes, replaces }, index) => {
        // The changes come first: if the message has ended meanwhile, its key tells so.
        const refusal = refusalOfChanges(statements, changes)
        if (refusal) return refusal
        if (replaces !== undefined && !removeWaiting(statements, replaces)) return nothingToReplace
        changeState(statements, changes)
        insertRows(statements, rows[index] as NewRow[])
        return undefined
      })
    const refusals = await this.#connection.write(storeEach, {
      lockTimeout: this.enqueueTimeout,
      timeoutError: (cause) => new EnqueueTimeout(this.enqueueTimeout, { cause }),
    })
    this.#wake(rows.filter((_, index) => !refusals[index]).flat())
    const changed = entries.filter((_, index) => !refusals[index]).flatMap(({ changes }) => changes)
    this.#connection.stateWatches.changed(changed)
    return refusals
  }

  /** The sends of one turn of the event loop: one write, which succeeds or fails as a whole. */
  #openSends(): { write: Write<void>; rows: NewRow[] } {
    const rows: NewRow[] = []
    const sends = {
      rows,
      write: new Write<void>((statements) => insertRows(statements, rows), {
        lockTimeout: this.enqueueTimeout,
        timeoutError: (cause) => new EnqueueTimeout(this.enqueueTimeout, { cause }),
        begin: () => {
          if (this.#sends === sends) this.#sends = undefined
        },
      }),
    }
    this.#connection.add(sends.write).then(
      () => this.#wake(rows),
      () => {},
    )
    return sends
  }

  #wake(rows: readonly NewRow[]): void {
    let last: string | undefined
    for (const { queueName } of rows) {
      if (queueName !== last) this.#connection.queueWaits.wake(queueName)
      last = queueName
    }
  }

  // — Consuming and looking ——————————————————————————————————————————————————————————————————————————————

  protected override makeConsumer(queueName: string): Consumer {
    const consumer = new SQLiteConsumer(queueName, this.#context)
    this.#consumers.add(consumer)
    return consumer
  }

  protected override async readStats(queueName: string): Promise<QueueStats> {
    const { waiting, due, delayed, held, dead } = await this.#connection.read(
      (statements) =>
        statements.stats.get({ queueName, now: Date.now() }) as Record<
          'waiting' | 'due' | 'delayed' | 'held' | 'dead',
          number
        >,
    )
    return { ready: waiting + due, delayed, inFlight: held, dead }
  }

  protected override async isEmpty(queueName: string): Promise<boolean> {
    const { empty } = await this.#connection.read(
      (statements) => statements.isEmpty.get({ queueName }) as { empty: number },
    )
    return empty === 1
  }

  protected override checkStore(timeout: number): Promise<void> {
    return this.#connection.check(timeout)
  }

  protected override changed(pause: number): Promise<void> {
    return this.#connection.watcher.anyChange(pause)
  }

  protected override async clear(queueName: string): Promise<void> {
    const newest = await this.#connection.read(
      (statements) => statements.newest.get() as { message: number; delayed: number; dead: number },
    )
    const some = (statements: Statements): number => {
      const { changes } = statements.flushHeld.run(queueName, newest.message)
      const ready = statements.flushReady.run(queueName, newest.message).changes
      const delayed = statements.flushDelayed.run(queueName, newest.delayed).changes
      return (
        Number(changes) +
        Number(ready) +
        Number(delayed) +
        Number(statements.flushDead.run(queueName, newest.dead).changes)
      )
    }
    while ((await this.#connection.write(some)) > 0);
  }

  protected override scan(
    queueName: string,
    { containing }: { containing?: string | undefined },
  ): AsyncIterable<readonly ScannedMessage[]> {
    return scanQueue(this.#connection, queueName, containing)
  }

  protected override runNow(queueName: string, refs: readonly unknown[]): Promise<void> {
    return runNow(this.#connection, queueName, refs)
  }

  // — Dead letters ———————————————————————————————————————————————————————————————————————————————————————

  protected override async readDeadLetters(queueName: string, limit: number, cursor = '0'): Promise<DeadLetterPage> {
    const after = readId(cursor)
    if (after === undefined) throw badCursor(cursor)
    type Row = { id: number; body: Body; reason: string; traceback: string | null; deadAt: number }
    const found = await this.#connection.read(
      (statements) => statements.deadLetters.all(queueName, after, Date.now(), limit + 1) as Row[],
    )
    const letters = found.slice(0, limit).map(({ id, traceback, ...row }) => {
      return { ...row, id: String(id), queueName, ...(traceback === null ? {} : { traceback }) }
    })
    const last = letters.at(-1)
    return found.length > limit && last ? { letters, cursor: last.id } : { letters }
  }

  protected override async takeDeadLetter(id: string, then: 'requeue' | 'delete'): Promise<boolean> {
    const row = readId(id)
    if (row === undefined) return false
    const now = Date.now()
    type Letter = { queue: string; priority: number; body: Body } | undefined
    if (then === 'requeue') {
      const letter = await this.#connection.read((statements) => statements.deadLetter.get(row, now) as Letter)
      if (letter) await this.forgetResult(letter.body)
    }
    const queueName = await this.#connection.write((statements) => {
      const letter = statements.deadLetter.get(row, now) as Letter
      if (!letter) return undefined
      statements.removeDeadLetter.run(row, now)
      if (then === 'requeue') statements.insertMessage.run(letter.queue, letter.priority, this.revive(letter.body))
      return letter.queue
    })
    if (queueName !== undefined) this.#connection.queueWaits.wake(queueName)
    return queueName !== undefined
  }

  // — The end ————————————————————————————————————————————————————————————————————————————————————————————

  protected override async closeStore(timeout = this.enqueueTimeout): Promise<void> {
    const deadline = new Deadline(timeout)
    for (const consumer of this.#consumers) await consumer.close()
    try {
      await this.#lease.close(deadline.left)
    } finally {
      await this.#connection.release(deadline.left)
    }
  }

  /**
   * For tests: ends as if the process were killed. Nothing more is taken, renewed or requeued.
   * @internal
   */
  async abandon(): Promise<void> {
    this.#lease.abandon()
    for (const consumer of this.#consumers) await consumer.close()
  }
}

function readId(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined
}
