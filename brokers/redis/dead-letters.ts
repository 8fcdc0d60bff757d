/**
 * Dead letters, as people look at them. One is named by its queue and its id there: `default:3f2c…`.
 */
import { randomUUID } from 'node:crypto'
import type { DeadLetter, DeadLetterPage } from '../../lib/consumer.js'
import type { Body } from '../../lib/encoder.js'
import type { Keys, QueueKeys } from './keys.js'
import type { Argument, Link } from './link.js'
import { bodiesAreText, lenient, priorityOf } from './parcels.js'
import { rewrite } from './rewrite.js'
import { script } from './scripts.js'

/**
 * A page, oldest first.
 * @param how.oldest Letters from then (ms) or before are over.
 */
export async function readDeadLetters(
  link: Link,
  { queueName, dead, deadMessages, deadReasons }: QueueKeys,
  { limit, cursor, oldest }: { limit: number; cursor: string | undefined; oldest: number },
): Promise<DeadLetterPage> {
  const [, time = '', lastId = ''] = cursor?.match(/^([^:]+):(.*)$/s) ?? []
  const binary = !bodiesAreText()
  const args = [limit, oldest, time, lastId]
  const answer = (await link.run(script('read-dead-letters'), [dead, deadMessages, deadReasons], args, {
    binary,
  })) as Body[]
  const letters: DeadLetter[] = []
  for (let at = 0; at < answer.length && letters.length < limit; at += 4) {
    const [id, deadAt, body, why] = answer.slice(at, at + 4) as [Body, Body, Body, Body]
    letters.push({
      id: `${queueName}:${id}`,
      queueName,
      body,
      deadAt: Math.floor(Number(deadAt)),
      ...readReason(`${why}`, body),
    })
  }
  const last = answer.slice(4 * (limit - 1), 4 * limit)
  return answer.length > 4 * limit && last.length > 0 ? { letters, cursor: `${last[1]}:${last[0]}` } : { letters }
}

/** Ours is kept beside the body; of what Python gave up, the body itself may tell. */
function readReason(why: string, body: Body): { reason: string; traceback?: string } {
  if (why !== '') return JSON.parse(why) as { reason: string; traceback?: string }
  const { traceback } = optionsOf(body) ?? {}
  if (typeof traceback !== 'string') return { reason: 'Given up by a worker that gave no reason.' }
  return { reason: traceback.trimEnd().split('\n').at(-1) ?? '', traceback }
}

/**
 * Takes a dead letter away.
 * @param revive Makes the body with which it goes back to its queue; without it, it is deleted.
 * @returns Whether it was still there.
 */
export async function takeDeadLetter(
  link: Link,
  keys: Keys,
  name: string,
  revive?: (body: Body) => Body,
): Promise<boolean> {
  const [, queueName, id] = name.match(/^([^:]+):(.*)$/s) ?? []
  if (queueName === undefined || id === undefined) return false
  const queue = keys.queue(queueName)
  const { dead, deadMessages, deadReasons } = queue
  const letter = [dead, deadMessages, deadReasons]
  if (!revive) return (await link.run(script('delete-dead-letter'), letter, [id])) === 1
  const stored = await link.call(
    async (client): Promise<Body | null> =>
      bodiesAreText() ? client.hget(deadMessages, id) : client.hgetBuffer(deadMessages, id),
  )
  if (stored === null) return false
  const { newId, body } = renamed(revive(stored), id, queue.queueName)
  const place = queue.ready(priorityOf(optionsOf(body) ?? {}))
  return (
    (await link.run(script('requeue-dead-letter'), [...letter, ...place.keys], [id, newId, body as Argument])) === 1
  )
}

/** Under a new id, as every enqueue; what isn't a message keeps the old one. */
function renamed(body: Body, id: string, queueName: string): { newId: string; body: Body } {
  const newId = randomUUID()
  try {
    if (typeof body !== 'string') return { newId: id, body }
    const options = { eta: undefined, redis_message_id: JSON.stringify(newId) }
    return { newId, body: rewrite(body, { queueName, options }) }
  } catch {
    return { newId: id, body }
  }
}

function optionsOf(body: Body): Record<string, unknown> | undefined {
  try {
    return typeof body === 'string'
      ? (JSON.parse(lenient(body)) as { options?: Record<string, unknown> }).options
      : undefined
  } catch {
    return undefined
  }
}
