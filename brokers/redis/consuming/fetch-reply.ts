/**
 * Reads the reply of `fetch.lua` into deliveries. All ids and bodies come packed in one byte string.
 */
import { isAscii } from 'node:buffer'
import { readBody } from '../sending/enqueue-records.js'
import { RedisDelivery } from './unacked.js'

export interface FetchReply {
  readonly deliveries: RedisDelivery[]
  /** When the next delayed message is due, if there is one. */
  readonly due: number | undefined
  /** Whether there are messages in Python's delay queue that can be taken over. */
  readonly delayedByPython: boolean
  /** The time of the Redis clock, in milliseconds. */
  readonly time: number
  /** Whether some body may have an `eta`, which asks for a later run. */
  readonly mayBeEarly: boolean
}

/** Up to this many bytes the messages of a reply share their memory: one that is held long keeps all of it. */
const maxSharedBytes = 262_144

/**
 * @param queueName The queue that was fetched from.
 * @param textual Whether bodies are text; otherwise they are bytes.
 */
export function readFetchReply(reply: readonly unknown[], queueName: string, textual: boolean): FetchReply {
  const [due, inDelayQueue, runs, repeats, sizes, packed, time, cancelled] = reply as [
    Buffer,
    number,
    number[],
    number[],
    Buffer,
    Buffer,
    number,
    number,
  ]
  const mayBeCancelled = cancelled === 1
  // Pure ASCII, which most text is, is decoded in one step and sliced, which is many times faster.
  const shared = textual && packed.length <= maxSharedBytes && isAscii(packed) ? packed.toString('latin1') : undefined
  const deliveries: RedisDelivery[] = []
  let run = -2
  let left = 0
  let repeat = 0
  let from = 0
  for (let at = 0; at < sizes.length; at += 8) {
    const middle = from + sizes.readUInt32BE(at)
    const to = middle + sizes.readUInt32BE(at + 4)
    for (; left === 0; left = runs[run + 1] as number) run += 2
    left--
    const redelivered = repeats[repeat] === deliveries.length
    const count = redelivered ? (repeats[repeat + 1] as number) : 1
    if (redelivered) repeat += 2
    const id = shared?.slice(from, middle) ?? packed.toString('latin1', from, middle)
    const body = shared?.slice(middle, to) ?? readBody(packed.subarray(middle, to), textual)
    deliveries.push(new RedisDelivery(id, queueName, body, count, runs[run] as number, mayBeCancelled))
    from = to
  }
  return {
    deliveries,
    due: due.length > 0 ? Number(due) : undefined,
    delayedByPython: inDelayQueue > 0,
    time,
    mayBeEarly: textual && (shared === undefined || shared.includes('"eta"')),
  }
}
