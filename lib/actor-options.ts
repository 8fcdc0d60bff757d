/**
 * The options of actors and messages, as types. Each middleware, and each plugin with options, adds its own by
 * declaration merging (`declare module 'dramatis'`). options.ts reads their values.
 */
import type { Broker } from './broker.js'

/** Options of an actor, for all its messages, or of one message, which take precedence. */
export interface MessageOptions {
  /**
   * 0 to 9, higher first; both in the broker and among prefetched messages. On the wire `broker_priority`.
   * @default 0
   */
  priority?: number | undefined
}

/** Options of an actor, given at declaration. */
export interface ActorOptions extends MessageOptions {
  /**
   * The name on the wire, unique on a broker.
   * @default the function's own name
   */
  actorName?: string | undefined
  /**
   * The queue its messages go to: a letter or `_`, then letters, digits, `.`, `_`, `-`.
   * @default 'default'
   */
  queueName?: string | undefined
  /**
   * The broker it belongs to.
   * @default the default broker (`getBroker()`) at the time the actor is first used
   */
  broker?: Broker | undefined
  /**
   * The version of its arguments, a whole number from 1 up, which each message carries. A message of a newer version
   * waits for a newer worker.
   * @default none, which counts as 0
   */
  version?: number | undefined
  /**
   * Makes arguments of this version of those that an older version was sent with. They are validated afterwards, and not
   * stored.
   */
  // biome-ignore lint/suspicious/noExplicitAny: arguments of another version
  migrate?: ((args: any[], version: number) => readonly unknown[] | Promise<readonly unknown[]>) | undefined
}
