/** Purges what has expired, a limited number of rows at a time. */
import type { Statements } from '../statements.js'

/** As many rows as one statement deletes; see statements.ts. */
const most = 500

/** Purges within the caller's transaction. Returns whether there may be more. */
export function purgeExpired(statements: Statements, now: number): boolean {
  let more = false
  const { purgeResults, purgeLimits, purgeDeadLetters, purgeState } = statements
  for (const table of [purgeResults, purgeLimits, purgeDeadLetters, purgeState]) {
    if (Number(table.run(now).changes) >= most) more = true
  }
  const expired = statements.expiredSet.get(now) as { key: string } | undefined
  if (expired) {
    if (Number(statements.purgeMembers.run(expired.key).changes) < most) statements.removeSet.run(expired.key)
    more = true
  }
  // A reader may still be about to read it.
  statements.purgeNotifications.run(now - 60_000)
  return more
}
