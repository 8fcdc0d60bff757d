/** Removes ids from the set of cancelled ones whose marks have expired: a set has only one time to live. */
import type { StateBackend } from '../state/backend.js'
import { cancellationsKey, markKey } from './marks.js'

const pageSize = 500

/** Returns how many were removed. */
export async function removeExpiredMarks(state: StateBackend): Promise<number> {
  const ids = await state.readSet(cancellationsKey)
  let removed = 0
  for (let at = 0; at < ids.length; at += pageSize) {
    const page = ids.slice(at, at + pageSize)
    const values = await state.read(page.map(markKey))
    for (const [index, id] of page.entries()) {
      if (values[index] !== undefined) continue
      // It may have been marked again.
      const refusal = await state.apply([
        { kind: 'set', key: markKey(id), value: null, expected: null },
        { kind: 'remove', key: cancellationsKey, member: id },
      ])
      if (!refusal) removed++
    }
  }
  return removed
}
