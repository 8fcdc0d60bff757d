/**
 * Services that the main thread offers to the threads of a worker: it sends for threads that can't reach its broker,
 * calls the plugins that they lack, and waits for results.
 */
import type { Broker } from '../../broker.js'
import type { Duration } from '../../duration.js'
import type { Body } from '../../encoder.js'
import { BrokerError } from '../../errors.js'
import { getLogger } from '../../logger.js'
import type { RelayedEntry, Service } from '../../main-thread.js'
import { Message } from '../../message.js'
import type { Entry } from '../../outcome.js'
import type { StateChange } from '../../state/changes.js'
import { StateService, stateService } from '../../state/main-thread-state.js'
import type { ChainData } from './protocol.js'

/** What a thread needs to know of the worker's broker when it starts. */
export function chainForThreads(broker: Broker): ChainData {
  const actors = [...broker.actors.values()]
  return {
    actors: actors.map(({ actorName, queueName }) => [actorName, queueName] as const),
    senders: broker.chain.senders,
  }
}

/** The services of a worker on this broker, by name. */
export function mainThreadServices(broker: Broker): Readonly<Record<string, Service>> {
  const warned = new Set<string>()
  const state = new StateService(() => broker.stateFor('What this thread does'))
  return {
    /** Reads and changes the state. */
    [stateService]: (method, args) => state.serve(method, args),

    /** Stores what a thread sent. The plugins that the thread has were called there. */
    enqueue: (_, [senders, entries]) =>
      broker.enqueueFromThread(readRelayed(entries), broker.chain.withoutSenders(senders as string[])),

    /** Stores what a thread sent in one step with changes of the state. */
    enqueueWith: (_, [senders, entries, changes]) =>
      broker.enqueueWithFromThread(
        readRelayed(entries),
        changes as StateChange[],
        broker.chain.withoutSenders(senders as string[]),
      ),

    /** Cancels a message: its body, or in an array its id. */
    cancel: (_, [target, options]) =>
      broker.cancel(Array.isArray(target) ? (target[0] as string) : Message.decode(target as Body), options as object),

    /** Cancels the messages of an actor, or of a queue. */
    cancelMany: (_, [which, options]) => broker.cancelMany(which as object, options as object),

    /** Receives the plugins that a thread has, and warns of those that can't be called from here. */
    senders: (_, [senders]) => {
      const rest = broker.chain.withoutSenders(senders as string[])
      for (const plugin of rest.plugins) {
        if (!plugin.updateOptionsBeforeCreateMessage) continue
        const name = plugin.name ?? plugin.constructor.name
        if (warned.has(name)) continue
        warned.add(name)
        const text = `Worker threads don't have the plugin ${name}: its updateOptionsBeforeCreateMessage isn't called for messages that actors make. Add it in a module that threads import, getBroker().use(…)`
        getLogger().warn({ plugin: name }, text)
      }
    },

    /** Waits for a result on behalf of a thread. */
    results: async (_, [body, timeout]) => {
      if (!broker.results)
        throw new BrokerError('The broker of this worker keeps no results; add the Results middleware.')
      return broker.results.get(Message.decode(body as string), { timeout: timeout as Duration })
    },
  }
}

function readRelayed(entries: unknown): Entry[] {
  return (entries as RelayedEntry[]).map(([body, delay, handle]) => ({ message: Message.decode(body), delay, handle }))
}
