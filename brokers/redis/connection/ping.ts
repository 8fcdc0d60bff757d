/**
 * Checks whether a connection that was idle for a while still reaches Redis. A load balancer, NAT or firewall may drop
 * an idle connection without notifying either end, and then bytes are lost on the way. So an idle connection is sent a
 * PING before it is used again, with a short timeout.
 */
import type { Redis } from 'ioredis'
import { startTimer } from '../../../lib/time.js'
import type { Client } from './client.js'

/** A connection without a reply for longer than this is checked before it is used, in milliseconds. */
const idleLimit = 5000
/** The timeout of the PING in milliseconds, if the call has that much time. */
const pingTimeout = 1000

/** The time of a connection's last reply. */
export class LastReply {
  /** By `performance.now()`, which isn't affected when the system's clock is set. */
  at = 0
  #date = 0

  note(): void {
    this.at = performance.now()
    this.#date = Date.now()
  }

  /** Whether the connection was idle for long. Only the system's clock shows that the machine was suspended. */
  get isOld(): boolean {
    return performance.now() - this.at > idleLimit || Math.abs(Date.now() - this.#date) > idleLimit
  }
}

/**
 * Sends a PING on every connection of a client.
 * @param timeout The timeout of the call that needs the connection. Half of it is kept for another connection.
 */
export async function respondsToPing(client: Client, timeout: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const timedOut = new Promise<boolean>((resolve) => {
    const giveUp = (): void => resolve(false)
    // If the event loop was blocked that long, the reply may have arrived: it is read before this callback runs.
    timer = startTimer(() => setImmediate(giveUp), Math.min(pingTimeout, timeout / 2))
  })
  const pongs = connections(client).map((one) => one.ping())
  const all = Promise.all(pongs).then(
    () => true,
    // The connection broke, or Redis refused the PING, which is a reply as well.
    (error: Error) => error.name === 'ReplyError',
  )
  return Promise.race([all, timedOut]).finally(() => clearTimeout(timer))
}

function connections(client: Client): Redis[] {
  return 'nodes' in client ? client.nodes().filter(({ status }) => status === 'ready') : [client]
}
