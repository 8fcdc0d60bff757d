/** A write: statements that run in a transaction with others, and a promise of the result. */
import { ConnectionFailed } from '../../../lib/errors.js'
import type { Statements } from '../statements.js'

export interface WriteOptions<T> {
  /** How long it may wait while other processes have the lock, in milliseconds. @default no limit */
  lockTimeout?: number
  /** Settles it after that time. @default rejects with the error that blocked it */
  timeoutError?: (cause: unknown) => unknown
  /** Whether it is retried even if the disk is full. @default false */
  persistent?: boolean
  /** Whether there is nothing to do; called outside a transaction, to save one. */
  isIdle?: (statements: Statements) => boolean
  /** Its result in that case. */
  idleValue?: T
  /** Called when it is about to run for the first time: from then on it must not grow. */
  begin?: () => void
}

export class Write<T> {
  readonly promise: Promise<T>
  /** By `performance.now()`, which doesn't change when the system's clock is set. */
  readonly deadline: number
  readonly persistent: boolean
  readonly isIdle: ((statements: Statements) => boolean) | undefined
  readonly idleValue: T | undefined
  /** The approximate number of rows it writes. */
  rows = 1
  resolve!: (value: T) => void
  reject!: (error: unknown) => void
  readonly #timeoutError: (cause: unknown) => unknown
  #begin: (() => void) | undefined

  /** @param run Runs the statements. It may run again after a rollback, so it must change nothing but the database. */
  constructor(
    readonly run: (statements: Statements) => T,
    options: WriteOptions<T> = {},
  ) {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    this.deadline =
      options.lockTimeout === undefined ? Number.POSITIVE_INFINITY : performance.now() + options.lockTimeout
    this.persistent = options.persistent ?? false
    this.isIdle = options.isIdle
    this.idleValue = options.idleValue
    this.#timeoutError =
      options.timeoutError ?? ((cause) => cause ?? new ConnectionFailed('The SQLite database is locked.'))
    this.#begin = options.begin
  }

  begin(): void {
    this.#begin?.()
    this.#begin = undefined
  }

  expire(cause: unknown): void {
    this.reject(this.#timeoutError(cause))
  }
}
