/**
 * Where the state of rate limiters is kept: the contract. Counters with a time to live, changed atomically; a key
 * that is absent or expired counts as never set.
 */
export interface RateLimitBackend {
  /** Sets `key` to `value` if it is absent. Says whether it did. */
  add(key: string, value: number, ttl: number): Promise<boolean>
  /** Raises `key` by `amount` unless that would be over `maximum`; a change sets the time to live anew. Says whether it did. */
  incr(key: string, amount: number, maximum: number, ttl: number): Promise<boolean>
  /**
   * Lowers `key` by `amount` unless that would be under `minimum`; a change sets the time to live anew. Says whether it did.
   * @param timeout How long the answer may take, in milliseconds, where it has to come from elsewhere.
   */
  decr(key: string, amount: number, minimum: number, ttl: number, timeout?: number): Promise<boolean>
  /**
   * Raises `key` by `amount` unless `key` itself, or the sum of `keys` (which may name `key` too), would be over
   * `maximum`. Says whether it did.
   */
  incrAndSum(key: string, keys: readonly string[], amount: number, maximum: number, ttl: number): Promise<boolean>
  /** The values of these keys, 0 for what was never set; by them a window limiter knows when there will be a slot again. */
  read?(keys: readonly string[]): Promise<readonly number[]>
  /**
   * Waits for a `notify` on `key`, `timeout` milliseconds at most. Says whether one came.
   * @throws {ConnectionFailed} when that can't be told at the end.
   */
  wait(key: string, timeout: number): Promise<boolean>
  /** Wakes those who wait on `key` now, and those who come within `ttl` milliseconds. */
  notify(key: string, ttl: number): Promise<void>
  /** The current time in milliseconds since the epoch, by which windows and buckets are named. */
  now(): number
}
