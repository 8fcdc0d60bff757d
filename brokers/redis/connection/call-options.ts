/** The default timeout of a call in milliseconds. */
export const defaultTimeout = 5000

/** Options of `CommandConnection.call`. */
export interface CallOptions {
  /**
   * The timeout of the call in milliseconds, connecting included.
   * @default 5000
   */
  readonly timeout?: number
  /**
   * Whether the caller retries without a reply (`retryIdempotent`). Then a connection that was idle for long is used
   * while it is still being checked; otherwise only after the check.
   */
  readonly retried?: boolean
}
