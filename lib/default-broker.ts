/**
 * Which broker is meant when none is named.
 */
import type { Broker } from './broker.js'

let chosen: Broker | undefined
let made: Broker | undefined
let make: () => Broker = () => {
  throw new Error('No default broker: import "dramatis", or call setBroker().')
}

/**
 * The default broker: the one given to `setBroker`, else one made from `DRAMATIS_URL`, else a SQLite file
 * `./dramatis.db`. It is made once, when it is first asked for.
 */
export function getBroker(): Broker {
  if (!chosen) {
    chosen = make()
    made = chosen
  }
  return chosen
}

/** Whether `broker` was made from the environment, so that another thread can make the same. */
export function isFromEnvironment(broker: Broker): boolean {
  return broker === made
}

/** Makes `broker` the default. Actors bind when they are first used, so it may come before or after their import. */
export function setBroker(broker: Broker): void {
  chosen = broker
}

/** The default broker if there is one already; makes none. */
export function peekBroker(): Broker | undefined {
  return chosen
}

/** Says how to make a default broker; called by the front door, which knows the technologies. */
export function provideDefaultBroker(factory: () => Broker): void {
  make = factory
}
