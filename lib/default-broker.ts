/**
 * Which broker is meant when none is named.
 */
import type { Broker } from './broker.js'
import { checkBroker } from './checks.js'
import { getLogger } from './logger.js'
import { mainThread } from './main-thread.js'
import { shared } from './registry.js'

interface DefaultBroker {
  chosen: Broker | undefined
  /** The one that was chosen by `setBroker`. */
  set: Broker | undefined
  /** The one that was made from the environment. */
  made: Broker | undefined
  make: (() => Broker) | undefined
}

const state = shared<DefaultBroker>('default broker', () => ({
  chosen: undefined,
  set: undefined,
  made: undefined,
  make: undefined,
}))

/**
 * The default broker: the one given to `setBroker`, else one made from `DRAMATIS_URL`, else a SQLite file
 * `./dramatis.db`. It is made once, when it is first asked for.
 */
export function getBroker(): Broker {
  if (!state.chosen) {
    if (!state.make) throw new Error('No default broker: import "dramatis", or call setBroker().')
    state.chosen = state.make()
    state.made = state.chosen
    // Who forgot to choose one would look for what was sent in vain. A thread's worker has said it already.
    if (!process.env.DRAMATIS_URL && !mainThread()) {
      getLogger().info({ broker: state.chosen.location }, 'No broker was set: using the default one')
    }
  }
  return state.chosen
}

/** Whether `broker` was made from the environment, so that another thread can make the same. */
export function isFromEnvironment(broker: Broker): boolean {
  return broker === state.made
}

/**
 * Makes `broker` the default. It may come before or after the import of the actors: those that were given no broker belong
 * to whichever is the default when they are used.
 *
 * @throws {InvalidOption} for anything but a broker.
 */
export function setBroker(broker: Broker): void {
  checkBroker(broker)
  state.chosen = broker
  state.set = broker
}

/** The default broker if `setBroker` chose it. */
export function peekSetBroker(): Broker | undefined {
  return state.set
}

/** The default broker if there is one already; makes none. */
export function peekBroker(): Broker | undefined {
  return state.chosen
}

/** Says how to make a default broker; called by the front door, which knows the technologies. */
export function provideDefaultBroker(factory: () => Broker): void {
  state.make ??= factory
}
