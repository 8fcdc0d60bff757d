/** Cancels the messages of an actor, or of a queue. */
import type { QueueSearch } from '../consumer.js'
import type { Message } from '../message.js'
import type { StateBackend } from '../state/backend.js'
import { markChanges } from './marks.js'
import { search, type Wanted } from './search.js'

/** The messages that `cancelMany` cancelled, or would cancel. */
export interface CancelledMany {
  /** How many waited, and won't run. */
  readonly cancelled: number
  /** How many a worker has: they are interrupted, or end by themselves before. */
  readonly cancelling: number
  /** How many have `cancellable: false`. */
  readonly refused: number
  /** The ids of those that were cancelled or are being cancelled. */
  readonly ids: readonly string[]
}

/** Which messages, and how. */
export interface ManyOptions {
  readonly actorName: string | undefined
  readonly queueNames: Iterable<string>
  readonly dryRun: boolean
  readonly reason: string | undefined
}

/** What the broker brings. */
export interface ManySource {
  readonly state: StateBackend
  /** Whether a fetch looks for marks in the same step, so that what waits won't run. */
  readonly fetchesLook: boolean
  readonly queues: QueueSearch
}

/** How many messages are marked in one step. */
const batchSize = 250

/** Messages that arrive after the call has begun may be left out. */
export async function cancelMany(
  { actorName, queueNames, dryRun, reason }: ManyOptions,
  { state, fetchesLook, queues }: ManySource,
): Promise<CancelledMany> {
  const names = [...queueNames]
  const ofActor: Wanted = {
    containing: actorName,
    includes: (message) => actorName === undefined || message.actorName === actorName,
  }
  const first = await search(queues, names, ofActor, { runNow: false })
  const ids = new Set([...first.waiting, ...first.held])
  const waiting = dryRun ? first.waiting : await markAll()
  const cancelled = fetchesLook ? waiting.size : 0
  return { cancelled, cancelling: ids.size - cancelled, refused: first.refused.size, ids: [...ids] }

  /** Returns those that wait once all are marked: a worker may have taken others before, and these certainly won't run. */
  async function markAll(): Promise<ReadonlySet<string>> {
    const all = [...ids]
    for (let at = 0; at < all.length; at += batchSize) {
      await state.apply(markChanges(all.slice(at, at + batchSize), { reason }))
    }
    const includes = (message: Message): boolean => ids.has(message.messageId)
    return (await search(queues, names, { containing: actorName, includes }, { runNow: true })).waiting
  }
}
