/**
 * Whether a connection that was not used for a while still reaches Redis. What stands between (a load balancer, a NAT, a
 * firewall) drops idle connections without telling either end, and then bytes vanish on the way. So before one is used
 * again it is asked for a PONG, with little time to answer.
 */
import type { Redis } from 'ioredis'
import { startTimer } from '../../../lib/time.js'
import type { Client } from './client.js'

/** After how long without an answer a connection is looked at before it is used, in milliseconds. */
const idleLimit = 5000
/** How long the PONG may take, in milliseconds, where the call has that much time. */
const pingTimeout = 1000

/** When a connection last answered. */
export class LastReply {
  /** By `performance.now()`, which goes on evenly when the system's clock is set. */
  at = 0
  #date = 0

  note(): void {
    this.at = performance.now()
    this.#date = Date.now()
  }

  /** Whether the connection was quiet for long. That the machine was suspended only the system's clock tells. */
  get isOld(): boolean {
    return performance.now() - this.at > idleLimit || Math.abs(Date.now() - this.#date) > idleLimit
  }
}

/**
 * Asks for a PONG on every connection of a client.
 * @param timeout How long the call may take for whose sake it is asked: half of it is for another connection, if need be.
 */
export async function respondsToPing(client: Client, timeout: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const timedOut = new Promise<boolean>((resolve) => {
    const giveUp = (): void => resolve(false)
    // When the event loop was busy for as long, the answer may be there, and is read before this.
    timer = startTimer(() => setImmediate(giveUp), Math.min(pingTimeout, timeout / 2))
  })
  const pongs = connections(client).map((one) => one.ping())
  const all = Promise.all(pongs).then(
    () => true,
    // It broke, or it refuses to say PONG, which is an answer as well.
    (error: Error) => error.name === 'ReplyError',
  )
  return Promise.race([all, timedOut]).finally(() => clearTimeout(timer))
}

function connections(client: Client): Redis[] {
  return 'nodes' in client ? client.nodes().filter(({ status }) => status === 'ready') : [client]
}
