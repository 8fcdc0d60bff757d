/** What a hook that throws means, by what it throws and when. */
import { RateLimitExceeded, Retry, SkipMessage } from './errors.js'
import type { HookName } from './middleware.js'

/**
 * `SkipMessage`, `Retry` and `RateLimitExceeded` say what shall happen; they aren't failures, whoever throws them, as long as it can still
 * happen: around the actor and before. After it, a plugin says it to the `Outcome`.
 */
export function isIntent(error: unknown): boolean {
  return error instanceof SkipMessage || error instanceof Retry || error instanceof RateLimitExceeded
}

/** Around the actor and before it. */
export const hooksWithIntents: ReadonlySet<HookName> = new Set<HookName>([
  'beforeProcessMessage',
  'aroundProcess',
  'aroundActor',
])

/** Called when the broker has stored what they tell of: nothing is left that a failure could stop, and all are told. */
export const afterStoredHooks: ReadonlySet<HookName> = new Set<HookName>([
  'afterEnqueue',
  'afterAck',
  'afterNack',
  'afterInterruptMessage',
  'afterSettleMessage',
])
