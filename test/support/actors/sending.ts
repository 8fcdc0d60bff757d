/**
 * Actors that send, and plugins that see it: imported by the test and, again, by its threads. Their broker is
 * set by the environment: one reached through the main thread, one that the module sets, or the default one.
 */
import { isMainThread } from 'node:worker_threads'
import { MemoryBroker } from '../../../brokers/memory/index.js'
import { RedisBroker } from '../../../brokers/redis/index.js'
import { SQLiteBroker } from '../../../brokers/sqlite/index.js'
import { setBroker } from '../../../lib/default-broker.js'
import { type AnyActor, actor, type Broker, getBroker, type Message, type Middleware } from '../../../lib/index.js'

const address = process.env.SENDING_BROKER as string

function makeBroker(): Broker {
  if (address.startsWith('redis:')) return new RedisBroker({ url: address })
  return address === 'memory' ? new MemoryBroker() : new SQLiteBroker({ path: address })
}

const throughMain = address === 'memory' && !isMainThread
if (!throughMain) setBroker(makeBroker())
export const broker = getBroker()

export interface Call {
  readonly plugin: string
  readonly hook: string
  readonly onMain: boolean
}

/** What the plugins of this thread saw of messages for `sink`. */
export const calls: Call[] = []

/** Records everything that is sent. */
export class Watching implements Middleware {
  constructor(readonly name: string) {}

  #note(hook: string, { actorName }: Message | AnyActor): void {
    if (actorName === 'sink') calls.push({ plugin: this.name, hook, onMain: isMainThread })
  }

  updateOptionsBeforeCreateMessage(options: Record<string, unknown>, actor: AnyActor): Record<string, unknown> {
    this.#note('updateOptionsBeforeCreateMessage', actor)
    return options
  }

  beforeEnqueue(message: Message): void {
    this.#note('beforeEnqueue', message)
  }

  async beforeDelayMessage(message: Message): Promise<void> {
    this.#note('beforeDelayMessage', message)
  }

  async afterEnqueue(message: Message): Promise<void> {
    this.#note('afterEnqueue', message)
  }
}

/** The second plugin of a class replaces the first. */
class InThreads extends Watching {}

broker.use(new Watching('everywhere'))
if (!isMainThread) broker.use(new InThreads('in threads'))

// On the main thread several copies of this module are loaded; in a thread the default broker is found, too.
const named = isMainThread || address.endsWith('.db') ? { broker } : {}
const shared = { ...named, maxRetries: 0, storeResults: true }

export const sink = actor((what: string) => what, { ...shared, actorName: 'sink' })

/** Sends, and returns what the plugins of its thread recorded, or how it failed. */
export const relay = actor(
  async (what: string) => {
    calls.length = 0
    try {
      await sink.sendWithOptions({ args: [what], delay: 1 })
    } catch (error) {
      const { name, message } = error as Error
      return { failed: `${name}: ${message}`, calls: [] }
    }
    return { failed: undefined, calls: [...calls] }
  },
  { ...shared, actorName: 'relay' },
)
