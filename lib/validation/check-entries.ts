/** The check of arguments before messages are stored, for those whose actors have schemas. */
import { InvalidArguments } from '../errors.js'
import type { Entry } from '../outcome.js'

/**
 * Checks the arguments of messages, one after the other. A promise if a schema is async.
 * @throws {InvalidArguments}
 */
export function checkArguments(entries: readonly Entry[], first = 0): Promise<void> | undefined {
  for (let index = first; index < entries.length; index++) {
    let pending: Promise<unknown> | undefined
    try {
      pending = entries[index]?.message.checkArguments?.()
    } catch (error) {
      throw withIndex(error, index, entries)
    }
    if (!pending) continue
    return pending.then(
      () => checkArguments(entries, index + 1),
      (error) => Promise.reject(withIndex(error, index, entries)),
    )
  }
  return undefined
}

/** Of many messages, the error says which one it is about. */
function withIndex(error: unknown, index: number, { length }: readonly Entry[]): unknown {
  if (length === 1 || !(error instanceof InvalidArguments)) return error
  return new InvalidArguments(error.actorName, error.issues, index)
}
