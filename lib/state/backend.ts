/**
 * The contract of state: what is remembered beside the queues. Each technology implements these few primitives once;
 * every feature is written once, on them.
 *
 * A step (`apply`) makes several changes, all or none, each on a condition. A broker whose queues and state are in one
 * store also makes them in the step that stores or settles a message (`lib/state/steps.ts`), so that no crash can
 * separate the two.
 *
 * | feature                    | stands on                                                                          |
 * | -------------------------- | ---------------------------------------------------------------------------------- |
 * | unique locks               | `set unique:<key>` expected absent, in the step that stores the message; deleted, if the value is still the owner's, in the step that settles it |
 * | cancellations              | `set cancel:<id>` with the reason; `add` the id to the set `cancellations`, which workers watch and fetches look at |
 * | members of a group         | `add` the member to the set `group:<id>:ended`, once and below the size of the group, in the step that settles it; the last one is refused, and comes back with what follows the group |
 * | status, progress, logs     | `set status:<id>`, `progress:<id>`, `log:<id>`; readers `watch` them                 |
 * | slots of a limit per key   | `add` the message's id to the set `limit:<key>`, below the limit; `remove` with its end or its worker's |
 * | next runs of schedules     | `set schedule:<name>` expected the last planned run, listed, in the step that stores the message of the run |
 * | register of live workers   | `set worker:<id>` with a time to live, listed, renewed with the heartbeat            |
 * | counters over time         | `count metric:<queue>:<name>:<minute>`, listed, with the time to live of its grain    |
 */
import type { Refusal, StateChange } from './changes.js'

/** A page of keys with their values, in no particular order. */
export interface StatePage {
  readonly entries: readonly { readonly key: string; readonly value: string }[]
  /** The cursor of the next page; absent on the last one. */
  readonly cursor?: string | undefined
}

/** Where to continue, and how much to read. */
export interface StatePageOptions {
  readonly cursor?: string | undefined
  /** @default 100 */
  readonly limit?: number | undefined
}

/** How a key is watched. */
export interface StateWatchOptions {
  /**
   * How long a notification may take, in milliseconds: a backend that polls may then poll less often.
   * @default as little as possible
   */
  readonly latency?: number | undefined
}

/**
 * Keys are texts, by custom `<feature>:<name>`. A key holds a value (a text, JSON by custom) or a set of texts, never
 * both. No text contains a NUL character. What has expired is absent.
 */
export interface StateBackend {
  /** The values under these keys. */
  read(keys: readonly string[]): Promise<readonly (string | undefined)[]>
  /** The members of a set; with `among`, only those of them that are in it. */
  readSet(key: string, among?: readonly string[]): Promise<readonly string[]>
  /** The number of members of a set. */
  size(key: string): Promise<number>
  /**
   * Makes changes in one atomic step: all of them, or none.
   * @param options.timeout How long a store that can't be reached is tried, in milliseconds. @default 5000
   * @returns What was refused, if none was made.
   */
  apply(changes: readonly StateChange[], options?: { timeout?: number | undefined }): Promise<Refusal | undefined>
  /** The listed keys that begin with `prefix`, a page at a time. A key that is there all the time is found once. */
  list(prefix: string, options?: StatePageOptions): Promise<StatePage>
  /**
   * Calls `listener` once the watch has begun, and after each change of the key that notifies, by any process. It may be
   * called without a change; several changes may be one call.
   * @returns A function that ends the watch.
   */
  watch(key: string, listener: () => void, options?: StateWatchOptions): () => void
  /**
   * Ends the watches, whose listeners are called a last time, and closes connections and files. What is called afterwards
   * rejects with a `BrokerClosed`.
   * @param timeout How long that may take, in milliseconds.
   */
  close(timeout?: number): Promise<void>
}
