/** What an error thrown by a hook means, depending on the error and the hook. */
import { CancelledError, RateLimitExceeded, Retry, SkipMessage } from './errors.js'
import type { HookName } from './hook-names.js'

/**
 * Whether an error is an intent and not a failure: `SkipMessage`, `Retry`, `CancelledError` and
 * `RateLimitExceeded`. They count as
 * intents before and around the actor. After it, a plugin calls the methods of `Outcome` instead.
 */
export function isIntent(error: unknown): boolean {
  return intents.some((kind) => error instanceof kind)
}

const intents = [SkipMessage, Retry, CancelledError, RateLimitExceeded]

/** Hooks before and around the actor. */
export const hooksWithIntents: ReadonlySet<HookName> = new Set<HookName>([
  'beforeProcessMessage',
  'aroundProcess',
  'aroundActor',
])

/** Hooks that follow a completed operation: a failure can't stop anything, and all plugins are called. */
export const afterStoredHooks: ReadonlySet<HookName> = new Set<HookName>([
  'afterEnqueue',
  'afterAck',
  'afterNack',
  'afterMessageCancelled',
  'afterInterruptMessage',
  'afterSettleMessage',
])
