/** The broker that is used if none is named. */
import type { Broker } from './broker.js'
import { checkBroker } from './checks.js'
import { getLogger } from './logger.js'
import { mainThread } from './main-thread.js'
import { provideResultSource } from './message.js'
import { shared } from './registry.js'

interface DefaultBroker {
  chosen: Broker | undefined
  /** The one that `setBroker` was called with. */
  set: Broker | undefined
  /** The one that was created from the environment. */
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
 * The default broker: the one passed to `setBroker`, else one created from `DRAMATIS_URL`, else a SQLite file
 * `./dramatis.db`. It is created once, on first use.
 */
export function getBroker(): Broker {
  if (!state.chosen) {
    if (!state.make) throw new Error('No default broker: import "dramatis", or call setBroker().')
    state.chosen = state.make()
    state.made = state.chosen
    // Messages would be searched in vain if the choice was forgotten. In a thread, its worker has logged it already.
    if (!process.env.DRAMATIS_URL && !mainThread()) {
      getLogger().info({ broker: state.chosen.location }, 'No broker was set: using the default one')
    }
  }
  return state.chosen
}

/** Whether `broker` was created from the environment, so that another thread can create the same. */
export function isFromEnvironment(broker: Broker): boolean {
  return broker === state.made
}

/**
 * Makes `broker` the default. It may be called before or after the actors are imported: actors without a `broker`
 * belong to the broker that is the default when they are used.
 *
 * @throws {InvalidOption} for anything but a broker.
 */
export function setBroker(broker: Broker): void {
  checkBroker(broker)
  state.chosen = broker
  state.set = broker
}

/** The default broker, if `setBroker` was called. */
export function peekSetBroker(): Broker | undefined {
  return state.set
}

/** The default broker if there is one already; creates none. */
export function peekBroker(): Broker | undefined {
  return state.chosen
}

/** Provides the factory of the default broker. Called by the entry point, which knows the brokers. */
export function provideDefaultBroker(factory: () => Broker): void {
  state.make ??= factory
}

provideResultSource(getBroker)
