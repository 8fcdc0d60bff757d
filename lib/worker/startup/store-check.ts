/**
 * Checks the store before a worker starts. A permanent problem (a wrong password, a file of another program) keeps the
 * worker from starting. A temporary one doesn't: the worker starts and logs once a minute that the broker is not
 * available. If the store turns out to be unusable when it can be checked for the first time, the worker ends.
 */
import type { Broker } from '../../broker.js'
import { BrokerClosed, BrokerUnusable } from '../../errors.js'
import { retryUntilDone } from '../consumer-loop.js'
import { RepeatedFailure } from '../repeated-failure.js'

/** How long the first check may take, in milliseconds. The worker doesn't wait longer for an unreachable broker. */
const firstCheckTimeout = 2000

/**
 * Checks the store of a broker. Resolves if it is usable or unreachable, or when the signal aborts.
 * @param signal Ends the check.
 * @param onUnusable Called if a later check finds the store unusable.
 * @throws {BrokerUnusable}
 */
export async function checkStore(
  broker: Broker,
  signal: AbortSignal,
  onUnusable: (error: BrokerUnusable) => void,
): Promise<void> {
  const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
  await Promise.race([check(broker, signal, onUnusable), stopped])
}

async function check(broker: Broker, signal: AbortSignal, onUnusable: (error: BrokerUnusable) => void): Promise<void> {
  const failure = new RepeatedFailure(
    {
      failing: 'The broker is not available; the worker starts anyway and consumes once it is',
      recovered: 'The broker is available',
    },
    {},
  )
  const attempt = async (timeout?: number): Promise<void> => {
    try {
      await broker.check({ timeout })
    } catch (error) {
      if (!isPermanentFailure(error) && !signal.aborted) failure.failed(error)
      throw error
    }
  }
  try {
    await attempt(firstCheckTimeout)
  } catch (error) {
    if (isPermanentFailure(error)) throw error
    const retries = retryUntilDone(() => attempt(), signal, isPermanentFailure)
    retries.then(
      () => failure.recovered(),
      (reason) => {
        if (reason instanceof BrokerUnusable && !signal.aborted) onUnusable(reason)
      },
    )
  }
}

/** Whether another check is pointless. */
function isPermanentFailure(error: unknown): boolean {
  return error instanceof BrokerUnusable || error instanceof BrokerClosed
}
