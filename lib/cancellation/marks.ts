/**
 * The marks of cancelled messages in the state: `cancel:<id>` with the reason, and the id in the set `cancellations`,
 * which workers watch. The mark of a pipeline's or a group's id cancels all of its messages.
 */
import { placeOf } from '../composition/place.js'
import type { Message } from '../message.js'
import type { StateBackend } from '../state/backend.js'
import type { StateChange } from '../state/changes.js'

/** The set of all cancelled ids. A fetch tells whether it has any: see `Delivery.mayBeCancelled`. */
export const cancellationsKey = 'cancellations'

/** How long a mark is kept at most, in milliseconds. The end of its message removes it before. */
export const markTtl = 604_800_000

/** A mark, as it is stored. */
export interface Mark {
  readonly reason?: string | undefined
}

/** The key of the mark of a message, a pipeline or a group. */
export function markKey(id: string): string {
  return `cancel:${id}`
}

/** The text of a mark. */
export function encodeMark(mark: Mark): string {
  return JSON.stringify(mark)
}

/**
 * The changes that cancel these ids.
 * @param ttl How long the marks are kept at most, in milliseconds.
 */
export function markChanges(ids: readonly string[], mark: Mark, ttl = markTtl): StateChange[] {
  const value = encodeMark(mark)
  return ids.flatMap((id, index): StateChange[] => [
    { kind: 'set', key: markKey(id), value, ttl },
    { kind: 'add', key: cancellationsKey, member: id, ttl, notify: index === ids.length - 1 },
  ])
}

/** The changes that remove the mark of an id. The workers then know whether there are others. */
export function unmarkChanges(id: string): StateChange[] {
  return [
    { kind: 'set', key: markKey(id), value: null },
    { kind: 'remove', key: cancellationsKey, member: id, notify: true },
  ]
}

/** The marks that there are of these ids. */
export async function readMarks(state: StateBackend, ids: readonly string[]): Promise<ReadonlyMap<string, Mark>> {
  const marks = new Map<string, Mark>()
  const found = await state.readSet(cancellationsKey, ids)
  if (found.length === 0) return marks
  const values = await state.read(found.map(markKey))
  for (const [index, id] of found.entries()) {
    const value = values[index]
    // The set outlives a mark that has expired.
    if (value !== undefined) marks.set(id, JSON.parse(value) as Mark)
  }
  return marks
}

/** The ids whose mark cancels this message: its own, and those of the pipelines and groups around it. */
export function scopesOf(message: Message): readonly string[] {
  const scopes = placeOf(message)?.scopes.filter((scope) => typeof scope === 'string') ?? []
  return [message.messageId, ...scopes]
}

/** Whether the message may be cancelled. */
export function isCancellable(message: Message): boolean {
  return message.option('cancellable') !== false
}
