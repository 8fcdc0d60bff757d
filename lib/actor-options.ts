/**
 * The options of actors and messages, as types. Every middleware adds its own by declaration merging; a plugin does
 * the same with `declare module 'dramatis'`. How their values are read stands in options.ts.
 */
import type { Broker } from './broker.js'

/** Options that an actor may carry for all of its messages, or one message for itself (the message wins). */
export interface MessageOptions {
  /**
   * 0 to 9, higher first: over the broker as well as among the messages a worker holds. On the wire `broker_priority`.
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
}
