/** What is left in the queues of a test, for its failure. */
import type { Message } from '../lib/message.js'
import { showCall } from './matching.js'

/** How many messages are in each state. */
export interface Left {
  ready: number
  delayed: number
  inFlight: number
  /** In how many milliseconds the first delayed message is due. */
  due: number | undefined
}

/** The same in words. */
export function showLeft({ ready, delayed, inFlight, due }: Left, running: readonly Message[], lost: boolean): string {
  const calls = running.map(({ actorName, args }) => showCall(actorName, args))
  const which = calls.length === 0 ? '' : ` (running: ${calls.join(', ')})`
  const when = due === undefined ? '' : ` (the first by ${due} ms: advance() or drain())`
  const why = lost ? ' The connection is lost (faults.restoreConnection()).' : ''
  return `Left in the queues: ${ready} ready, ${inFlight} in flight${which}, ${delayed} delayed${when}.${why}`
}
