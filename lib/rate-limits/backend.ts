/**
 * The contract of backends for rate limiters: counters with a time to live, which change atomically. A key that is
 * absent or expired counts as never set.
 */
export interface RateLimitBackend {
  /** Sets `key` to `value` if it is absent. Returns whether it did. */
  add(key: string, value: number, ttl: number): Promise<boolean>
  /**
   * Increases `key` by `amount` unless the result would exceed `maximum`. A change renews the time to live. Returns
   * whether it did.
   */
  incr(key: string, amount: number, maximum: number, ttl: number): Promise<boolean>
  /**
   * Decreases `key` by `amount` unless the result would be less than `minimum`. A change renews the time to live.
   * Returns whether it did.
   * @param timeout How long a remote store may take to reply, in milliseconds.
   */
  decr(key: string, amount: number, minimum: number, ttl: number, timeout?: number): Promise<boolean>
  /**
   * Increases `key` by `amount` unless `key` itself, or the sum of `keys` (which may include `key`), would exceed
   * `maximum`. Returns whether it did.
   */
  incrAndSum(key: string, keys: readonly string[], amount: number, maximum: number, ttl: number): Promise<boolean>
  /** The values of these keys, 0 for those never set. A window limiter computes from them when there will be a slot. */
  read?(keys: readonly string[]): Promise<readonly number[]>
  /**
   * Waits for a `notify` on `key`, `timeout` milliseconds at most. Returns whether one came.
   * @throws {ConnectionFailed} if the store can't be reached at the end.
   */
  wait(key: string, timeout: number): Promise<boolean>
  /** Wakes all waits on `key`, including those that begin within `ttl` milliseconds. */
  notify(key: string, ttl: number): Promise<void>
  /** The current time in milliseconds since the epoch, which identifies windows and buckets. */
  now(): number
}
