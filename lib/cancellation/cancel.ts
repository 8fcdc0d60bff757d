/**
 * Cancels a message, or all messages of a pipeline or a group. The mark is written first, and then it is looked where
 * they are: whoever takes one of them after that sees the mark, whatever becomes of the caller.
 */
import type { QueueSearch } from '../consumer.js'
import type { Message } from '../message.js'
import type { StateBackend } from '../state/backend.js'
import type { CancelAnswer, CancelOptions } from './answer.js'
import { encodeMark, isCancellable, type Mark, markChanges, markKey, scopesOf, unmarkChanges } from './marks.js'
import { nothingFound, search } from './search.js'

/** What the broker brings. */
export interface CancelSource {
  readonly state: StateBackend
  /** Whether a fetch looks for marks in the same step, so that what waits won't run. */
  readonly fetchesLook: boolean
  /** Absent if the queues can't be searched. */
  readonly queues: QueueSearch | undefined
  /** All queues in which messages may be. */
  readonly queueNames: ReadonlySet<string>
  /** Whether the result of a message is stored. */
  readonly hasResult: (message: Message) => Promise<boolean>
}

/**
 * How long the mark of a message is kept that isn't in its queue, in milliseconds. It has ended; or it was on its way
 * from one place in the queue to another, and is cancelled as soon as it is seen.
 */
const endedMarkTtl = 600_000

/** @param id The id of a message, a pipeline or a group; or the message itself, which is only searched in its queue. */
export async function cancel(
  target: Message | string,
  { reason, cascade = false }: CancelOptions,
  source: CancelSource,
): Promise<CancelAnswer> {
  const message = typeof target === 'string' ? undefined : target
  const id = typeof target === 'string' ? target : target.messageId
  if (message && !isCancellable(message)) return 'refused'
  const cancellation = new OneCancellation(source, { reason })
  await cancellation.mark([id])
  if (cascade && message) await cancellation.mark(scopesOf(message))
  const answer = await cancellation.searchAnswer(cascade)
  if (answer !== undefined) return answer
  if (await hasEnded(id, message, source)) return cancellation.unmark('finished')
  if (!source.queues) return 'cancelling'
  // Between two places of its queue it may be missed.
  const second = await cancellation.searchAnswer(cascade)
  if (second === undefined && message) await cancellation.keepBriefly()
  return second ?? 'unknown'
}

class OneCancellation {
  readonly #source: CancelSource
  readonly #mark: Mark
  readonly #ids = new Set<string>()
  readonly #found = nothingFound()

  constructor(source: CancelSource, mark: Mark) {
    this.#source = source
    this.#mark = mark
  }

  /** Marks ids that aren't marked yet. Returns whether there were any. */
  async mark(ids: Iterable<string>): Promise<boolean> {
    const added = [...ids].filter((id) => !this.#ids.has(id))
    if (added.length === 0) return false
    await this.#source.state.apply(markChanges(added, this.#mark))
    for (const id of added) this.#ids.add(id)
    return true
  }

  async unmark(answer: CancelAnswer): Promise<CancelAnswer> {
    for (const id of this.#ids) await this.#source.state.apply(unmarkChanges(id))
    return answer
  }

  async keepBriefly(): Promise<void> {
    const value = encodeMark(this.#mark)
    const changes = [...this.#ids].map(
      (id) => ({ kind: 'set', key: markKey(id), value, expected: value, ttl: endedMarkTtl }) as const,
    )
    await this.#source.state.apply(changes)
  }

  /** Looks for the messages. Nothing if there are none. */
  async searchAnswer(cascade: boolean): Promise<CancelAnswer | undefined> {
    const { queues, fetchesLook } = this.#source
    if (!queues) return undefined
    await this.#search(queues)
    // What belongs together is known once one of the messages is.
    if (cascade && (await this.mark(this.#found.scopes))) await this.#search(queues)
    const { waiting, held, refused } = this.#found
    if (held.size > 0) return 'cancelling'
    if (waiting.size > 0) return fetchesLook ? 'cancelled' : 'cancelling'
    return refused.size > 0 ? this.unmark('refused') : undefined
  }

  async #search(queues: QueueSearch): Promise<void> {
    for (const id of this.#ids) {
      const wanted = { containing: id, includes: (message: Message) => scopesOf(message).includes(id) }
      await search(queues, this.#source.queueNames, wanted, { runNow: true, found: this.#found })
    }
  }
}

const endedStates: readonly unknown[] = ['succeeded', 'failed', 'cancelled']

/** Whether its status or its result says so. */
async function hasEnded(
  id: string,
  message: Message | undefined,
  { state, hasResult }: CancelSource,
): Promise<boolean> {
  const [status] = await state.read([`status:${id}`])
  if (status !== undefined && endedStates.includes((JSON.parse(status) as { state?: unknown }).state)) return true
  return message !== undefined && hasResult(message)
}
