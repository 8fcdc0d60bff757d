/**
 * How long a shutdown may take beyond the time for running messages. All its steps together finish within `graces`,
 * whatever hangs: a hook, a thread, an unreachable broker.
 */
import { getLogger } from '../logger.js'
import { settlesWithin } from '../time.js'

/**
 * How long all steps may take beyond `shutdownTimeout`, in milliseconds. With its default of 25 s they end after 29 s,
 * within the 30 s of Kubernetes.
 */
export const stopGrace = 4000

/** Its parts, in milliseconds. */
export const grace = {
  /** What a step gets if the time is already up. */
  least: 250,
  /** For the consumers to stop, within the time of running messages. */
  consumers: 2000,
  /** For actors to finish once their signals are aborted, and again for their settlements. */
  actors: 500,
  /** For threads to end. */
  threads: 2500,
  /** For the hook of a thread that is about to end. */
  threadHook: 500,
  /** Reserved for the last hook and for closing the broker; and the part of it for the broker alone. */
  last: 1500,
  broker: 1000,
} as const

/**
 * Emits a hook of a shutdown. A failure is logged by the chain. A hook that takes too long is no longer awaited.
 * Neither keeps a worker from stopping, nor a thread from working.
 *
 * @param timeout How long it is awaited, in milliseconds.
 */
export async function emitInTime(
  hook: string,
  emit: () => Promise<void> | undefined,
  timeout = Number.POSITIVE_INFINITY,
): Promise<void> {
  try {
    const emitted = emit()
    if (!emitted || (await settlesWithin(timeout, emitted))) return
    getLogger().warn({ hook }, `${hook} of a plugin takes too long; the worker stops without waiting for its end`)
  } catch {
    // The chain has logged it.
  }
}
