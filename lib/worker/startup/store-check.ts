/**
 * A look at the store before a worker starts. What no waiting can mend (a wrong password, a file of another program)
 * keeps it from starting. What may mend doesn't: the worker starts, says each minute that it waits, and when its store
 * can be looked at for the first time and can't be used, it ends all the same.
 */
import type { Broker } from '../../broker.js'
import { BrokerClosed, BrokerUnusable } from '../../errors.js'
import { retryUntilDone } from '../consumer-loop.js'
import { RepeatedFailure } from '../repeated-failure.js'

/** How long the first look may take, in milliseconds; a broker that is away is not waited for any longer. */
const firstLook = 2000

/**
 * Looks at the store of a broker. Resolves when it is in order, away, or nobody wants to know any more.
 * @param signal Ends the looking.
 * @param onUnusable Told what is found later.
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
      failing: 'The broker is not available; the worker starts all the same and takes messages once it is',
      over: 'The broker is available',
    },
    {},
  )
  const attempt = async (timeout?: number): Promise<void> => {
    try {
      await broker.check({ timeout })
    } catch (error) {
      if (!isHopeless(error) && !signal.aborted) failure.failed(error)
      throw error
    }
  }
  try {
    await attempt(firstLook)
  } catch (error) {
    if (isHopeless(error)) throw error
    const later = retryUntilDone(() => attempt(), signal, isHopeless)
    later.then(
      () => failure.recovered(),
      (reason) => {
        if (reason instanceof BrokerUnusable && !signal.aborted) onUnusable(reason)
      },
    )
  }
}

/** Whether another look is no use. */
function isHopeless(error: unknown): boolean {
  return error instanceof BrokerUnusable || error instanceof BrokerClosed
}
