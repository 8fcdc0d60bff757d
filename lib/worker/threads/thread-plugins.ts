/**
 * The plugins of a worker thread: those that the modules it imports gave to the broker that stands for the worker's here.
 */

import type { Broker } from '../../broker.js'
import { boundBroker, findActor } from '../../declarations.js'
import { peekBroker } from '../../default-broker.js'
import { type MainThread, mainThread } from '../../main-thread.js'
import type { ChainData } from './protocol.js'

export class ThreadPlugins {
  readonly #chain: ChainData
  /** The broker that the worker's actors were declared with, where it isn't the default one. */
  #named: Broker | undefined
  /** What was looked at last, and whether the main thread has plugins besides. */
  #lastCheck: { readonly senders: readonly string[]; readonly relays: boolean } | undefined

  constructor(chain: ChainData) {
    this.#chain = chain
  }

  /** The broker that stands for the worker's in this thread, if there is one yet; makes none. */
  get broker(): Broker | undefined {
    return this.#named ?? peekBroker()
  }

  /**
   * Called once every module is loaded.
   * @throws {HookFailed}
   */
  async start(): Promise<void> {
    this.#named = this.#chain.actors.map(findBroker).find((broker) => broker !== undefined)
    const { broker } = this
    // Of what it lacks the main thread only warns: nothing waits for that.
    if (this.#chain.senders.length > 0) void this.#reportSenders(broker)
    await broker?.chain.emit('afterThreadStart', broker)
  }

  async #reportSenders(broker: Broker | undefined): Promise<void> {
    await (mainThread() as MainThread).call('senders', '', [broker?.chain.senders ?? []]).catch(() => {})
  }

  /** Called before the thread ends in good order. */
  async stop(): Promise<void> {
    const { broker } = this
    try {
      await broker?.chain.emit('beforeThreadStop', broker)
    } catch {
      // Logged by the chain; nothing keeps a thread from stopping.
    }
  }

  /** Whether what is sent through that broker must pass through the main thread, for the sake of plugins that only it has. */
  relays(broker: Broker): boolean {
    if (this.#chain.senders.length === 0 || broker !== this.broker) return false
    const { senders } = broker.chain
    if (this.#lastCheck?.senders !== senders)
      this.#lastCheck = { senders, relays: hasOthers(senders, this.#chain.senders) }
    return this.#lastCheck.relays
  }
}

/** The broker of an actor that the worker has, where it has one here: not every actor need be in every module. */
function findBroker([actorName, queueName]: ChainData['actors'][number]): Broker | undefined {
  const actor = findActor(actorName, queueName)
  return actor && boundBroker(actor)
}

/** Whether there is one that does more than to change options, which can't be done from elsewhere. */
function hasOthers(own: readonly string[], all: readonly string[]): boolean {
  const left = [...own]
  return all.some((sender) => {
    const at = left.indexOf(sender)
    if (at >= 0) left.splice(at, 1)
    return at < 0 && !sender.endsWith(': updateOptionsBeforeCreateMessage')
  })
}
