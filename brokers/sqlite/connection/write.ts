/** Something to be written: statements that are run in a transaction with others, and a promise of the outcome. */
import { ConnectionFailed } from '../../../lib/errors.js'
import type { Statements } from '../statements.js'

export interface WriteOptions<T> {
  /** How long it may wait while other processes have the lock, in milliseconds. @default for ever */
  lockTimeout?: number
  /** Says what becomes of it then. @default rejects with what blocked it */
  expired?: (cause: unknown) => unknown
  /** Whether it is tried again even when the disk is full. @default false */
  persistent?: boolean
  /** Whether there is nothing to do; asked outside a transaction, to save one. */
  isIdle?: (statements: Statements) => boolean
  /** What it resolves with then. */
  idleValue?: T
  /** Called when it is about to be run for the first time: from now on it must not grow. */
  begin?: () => void
}

export class Write<T> {
  readonly promise: Promise<T>
  /** By `performance.now()`, which goes on evenly when the system's clock is set. */
  readonly deadline: number
  readonly persistent: boolean
  readonly isIdle: ((statements: Statements) => boolean) | undefined
  readonly idleValue: T | undefined
  /** How many rows it writes, roughly. */
  rows = 1
  resolve!: (value: T) => void
  reject!: (error: unknown) => void
  readonly #expired: (cause: unknown) => unknown
  #begin: (() => void) | undefined

  /** @param run The statements. It may be run again after a rollback, so it changes nothing but the database. */
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
    this.#expired = options.expired ?? ((cause) => cause ?? new ConnectionFailed('The SQLite database is locked.'))
    this.#begin = options.begin
  }

  begin(): void {
    this.#begin?.()
    this.#begin = undefined
  }

  expire(cause: unknown): void {
    this.reject(this.#expired(cause))
  }
}
