/**
 * Keeps messages with the same key from being on the queue twice. The key is held by the message that was stored, and
 * freed by its end only: a success, a dead letter, a cancellation, a flush. Retries keep it. The decision is made in the
 * step that stores the message, so no crash leaves a key behind, and no race stores two.
 */

import type { Broker } from '../lib/broker.js'
import type { Message } from '../lib/message.js'
import type { Middleware } from '../lib/middleware.js'
import { declareOptions } from '../lib/options.js'
import type { PendingSettlement } from '../lib/settlement.js'
import type { SettlementStep, StoragePart } from '../lib/state/steps.js'
import { acquire } from '../lib/unique/acquiring.js'
import { readUniqueOption, stampUnique, type UniqueOptions, uniqueOf } from '../lib/unique/option.js'
import { keepForRetry, release, releaseAtStart } from '../lib/unique/releasing.js'

declare module '../lib/actor-options.js' {
  interface MessageOptions {
    /**
     * Whether a send is left out while a message with the same key waits or runs: `true` for a key of all arguments, or
     * how. `Message.deduplicated` says what a send did.
     * @default false
     */
    // biome-ignore lint/suspicious/noExplicitAny: the arguments of the actor
    unique?: boolean | UniqueOptions<any[]> | undefined
  }
}

declareOptions({ unique: { wire: 'unique', read: readUniqueOption, stamp: stampUnique } })

export class Unique implements Middleware {
  readonly essential = true
  readonly onlyWithOptions = ['unique']

  beforeStoreMessage(message: Message, delay: number | undefined, broker: Broker): StoragePart | undefined {
    const unique = uniqueOf(message)
    // A message that has a handle is stored already: it is a retry, or another service has sent it.
    if (!unique || unique.handle !== undefined) return undefined
    return acquire(message, delay, unique, broker.stateFor('A unique message'))
  }

  beforeProcessMessage(message: Message, broker: Broker): Promise<void> | undefined {
    const unique = uniqueOf(message)
    if (unique?.until !== 'started') return undefined
    return releaseAtStart(message, unique, broker.stateFor('A unique message'))
  }

  joinsSettlement(message: Message): boolean {
    return message.option('unique') !== undefined && uniqueOf(message) !== undefined
  }

  beforeStoreSettlement(message: Message, settlement: PendingSettlement, step: SettlementStep): void {
    const unique = uniqueOf(message)
    if (!unique || unique.until === 'expired') return
    if (step.copy) {
      // A retry, or a message that waits for a slot of a rate limiter.
      if (unique.until === 'finished') keepForRetry(message, unique, step, settlement.delay ?? 0)
    } else if (unique.until === 'finished' || settlement.decision !== 'ack') {
      // Until "started": what never starts frees its key as well.
      step.add(release(message, unique, settlement.decision !== 'flush'))
    }
  }
}
