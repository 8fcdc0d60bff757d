/** What is asked of a cancellation, and what it answers. */

/**
 * What became of a message that was cancelled. `'cancelled'`: it waited, and won't run. `'cancelling'`: a worker has it,
 * and is interrupting it; it may still end by itself before. `'finished'`: it had ended. `'refused'`: it has
 * `cancellable: false`. `'unknown'`: there is no trace of it.
 */
export type CancelAnswer = 'cancelled' | 'cancelling' | 'finished' | 'refused' | 'unknown'

/** How a message is cancelled. */
export interface CancelOptions {
  /** Why, in words: the `reason` of the `CancelledError`. */
  reason?: string | undefined
  /**
   * Whether everything goes with it that belongs together: the rest of its pipeline, the other members of its group.
   * @default false
   */
  cascade?: boolean | undefined
}
