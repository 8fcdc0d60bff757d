/** The plugins of a worker thread: those that its modules added to the thread's own copy of the worker's broker. */

import type { Broker } from '../../broker.js'
import { boundBroker, findActor } from '../../declarations.js'
import { peekBroker } from '../../default-broker.js'
import { type MainThread, mainThread } from '../../main-thread.js'
import type { ChainData } from './protocol.js'

export class ThreadPlugins {
  readonly #chain: ChainData
  /** The broker that the worker's actors were declared with, if it isn't the default one. */
  #actorsBroker: Broker | undefined
  /** The plugins at the last check, and whether the main thread has others. */
  #lastCheck: { readonly senders: readonly string[]; readonly relays: boolean } | undefined

  constructor(chain: ChainData) {
    this.#chain = chain
  }

  /** The thread's own copy of the worker's broker, if there is one yet; creates none. */
  get broker(): Broker | undefined {
    return this.#actorsBroker ?? peekBroker()
  }

  /**
   * Called once every module is loaded.
   * @throws {HookFailed}
   */
  async start(): Promise<void> {
    this.#actorsBroker = this.#chain.actors.map(findBroker).find((broker) => broker !== undefined)
    const { broker } = this
    // The main thread only warns of missing plugins: no need to wait.
    if (this.#chain.senders.length > 0) void this.#reportSenders(broker)
    await broker?.chain.emit('afterThreadStart', broker)
  }

  async #reportSenders(broker: Broker | undefined): Promise<void> {
    await (mainThread() as MainThread).call('senders', '', [broker?.chain.senders ?? []]).catch(() => {})
  }

  /** Called before the thread ends gracefully. */
  async stop(): Promise<void> {
    const { broker } = this
    try {
      await broker?.chain.emit('beforeThreadStop', broker)
    } catch {
      // The chain has logged it; nothing keeps a thread from stopping.
    }
  }

  /** Whether sends through that broker must go through the main thread, because only it has all plugins. */
  relays(other: object): boolean {
    const { broker } = this
    if (this.#chain.senders.length === 0 || other !== broker) return false
    const { senders } = (broker as Broker).chain
    if (this.#lastCheck?.senders !== senders)
      this.#lastCheck = { senders, relays: hasOthers(senders, this.#chain.senders) }
    return this.#lastCheck.relays
  }
}

/** The broker of an actor of the worker, if this thread has the actor: not every module declares every actor. */
function findBroker([actorName, queueName]: ChainData['actors'][number]): Broker | undefined {
  const actor = findActor(actorName, queueName)
  return actor && boundBroker(actor)
}

/** Whether there are plugins that do more than update options, which isn't possible from the main thread. */
function hasOthers(own: readonly string[], all: readonly string[]): boolean {
  const remaining = [...own]
  return all.some((sender) => {
    const at = remaining.indexOf(sender)
    if (at >= 0) remaining.splice(at, 1)
    return at < 0 && !sender.endsWith(': updateOptionsBeforeCreateMessage')
  })
}
