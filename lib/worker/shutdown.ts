/**
 * What a stop may cost beyond the time that running messages are given. All its steps together are through within
 * `graces`, whatever hangs: a hook, a thread, a broker that is away.
 */
import { getLogger } from '../logger.js'
import { atMost } from '../time.js'

/**
 * How long all the steps of a stop may take beyond `shutdownTimeout`, in milliseconds: with its default of 25 s they end
 * after 29 s, within the 30 s of Kubernetes.
 */
export const graces = 4000

/** The parts of that, in milliseconds. */
export const grace = {
  /** What a step gets that comes when its time is up already. */
  least: 250,
  /** For the consumers to end, of the time of running messages. */
  consumers: 2000,
  /** For actors to end once their signals are aborted; and then for what they leave to be settled. */
  actors: 500,
  /** For threads to end. */
  threads: 2500,
  /** For the hook of a thread that is to end. */
  threadHook: 500,
  /** What is kept for the last hook and the end of the broker, and of that for the broker alone. */
  last: 1500,
  broker: 1000,
} as const

/**
 * Emits a hook of a stop. A failure is logged by the chain, and one that takes too long is left behind; neither keeps a
 * worker from stopping, nor a thread from working.
 *
 * @param patience How long it is waited for, in milliseconds.
 */
export async function emitInTime(
  hook: string,
  emit: () => Promise<void> | undefined,
  patience = Number.POSITIVE_INFINITY,
): Promise<void> {
  try {
    const emitted = emit()
    if (!emitted || (await atMost(patience, emitted))) return
    getLogger().warn({ hook }, `${hook} of a plugin takes too long; the worker stops without waiting for its end`)
  } catch {
    // Logged.
  }
}
