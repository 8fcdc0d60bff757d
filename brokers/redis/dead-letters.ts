/**
 * Reads, requeues and deletes dead letters. The id of one consists of its queue and its id there: `default:3f2c…`.
 */
import { badCursor } from '../../lib/broker.js'
import type { DeadLetter, DeadLetterPage } from '../../lib/consumer.js'
import type { Body } from '../../lib/encoder.js'
import { uuid } from '../../lib/uuid.js'
import { defaultTimeout } from './connection/call-options.js'
import type { CommandConnection } from './connection/command-connection.js'
import { type Attempt, retryIdempotent } from './connection/retry.js'
import { idArgument, readShownId, showId } from './ids.js'
import type { Keys, QueueKeys } from './keys.js'
import type { Argument } from './scripts.js'
import { script } from './scripts.js'
import { bodiesAreText, type DelayQueue, destinationOf, readBody } from './sending/enqueue-records.js'
import { lenient, rewrite } from './sending/json-rewrite.js'

/**
 * Reads a page of dead letters, oldest first.
 * @param how.oldest Letters up to this time (ms) have expired.
 */
export async function readDeadLetters(
  connection: CommandConnection,
  { queueName, dead, deadMessages, deadReasons }: QueueKeys,
  { limit, cursor, oldest }: { limit: number; cursor: string | undefined; oldest: number },
): Promise<DeadLetterPage> {
  const [, time = '', lastId = ''] = cursor?.match(/^(\d+(?:\.\d+)?):(.*)$/s) ?? []
  if (cursor !== undefined && time === '') throw badCursor(cursor)
  const textual = bodiesAreText()
  const args = [limit, oldest, time, idArgument(readShownId(lastId))]
  const keys = [dead, deadMessages, deadReasons]
  const read = (attempt: Attempt): Promise<unknown> =>
    connection.run(script('read-dead-letters'), keys, args, { ...attempt, binary: true })
  const answer = (await retryIdempotent(defaultTimeout, read)) as Buffer[]
  const letters: DeadLetter[] = []
  for (let at = 0; at < answer.length && letters.length < limit; at += 4) {
    const [id, deadAt, bytes, why] = answer.slice(at, at + 4) as [Buffer, Buffer, Buffer, Buffer]
    const body = readBody(bytes, textual)
    letters.push({
      id: `${queueName}:${showId(id)}`,
      queueName,
      body,
      deadAt: Math.floor(Number(deadAt)),
      ...readReason(`${why}`, body),
    })
  }
  const last = answer.slice(4 * (limit - 1), 4 * limit)
  return answer.length > 4 * limit && last.length > 0
    ? { letters, cursor: `${last[1]}:${showId(last[0] as Buffer)}` }
    : { letters }
}

/** We store the reason beside the body; for a message that Python dead-lettered, the body itself may contain it. */
function readReason(why: string, body: Body): { reason: string; traceback?: string } {
  if (why !== '') return JSON.parse(why) as { reason: string; traceback?: string }
  const { traceback } = optionsOf(body) ?? {}
  if (typeof traceback !== 'string')
    return { reason: 'Given up by a Python worker, which leaves a reason only on retries.' }
  return { reason: traceback.trimEnd().split('\n').at(-1) ?? '', traceback }
}

/** Deletes a dead letter. @returns Whether it was still there. */
export async function deleteDeadLetter(connection: CommandConnection, keys: Keys, name: string): Promise<boolean> {
  const found = find(keys, name)
  return found !== undefined && (await connection.run(script('delete-dead-letter'), found.letter, [found.id])) === 1
}

/**
 * Puts a dead letter back on its queue.
 * @param how.revive Makes the body of a new attempt, if bodies aren't text.
 * @param how.before Called before it is put back.
 * @returns Whether it was still there.
 */
export async function requeueDeadLetter(
  connection: CommandConnection,
  keys: Keys,
  name: string,
  {
    delayQueue,
    revive,
    before,
  }: { delayQueue: DelayQueue; revive: (body: Body) => Body; before: (body: Body) => Promise<void> },
): Promise<boolean> {
  const found = find(keys, name)
  if (!found) return false
  const { id, queue, letter } = found
  const { deadMessages } = queue
  const bytes = await retryIdempotent(defaultTimeout, (attempt) =>
    connection.call((client) => client.hgetBuffer(deadMessages, id), attempt),
  )
  if (bytes === null) return false
  const stored = readBody(bytes, bodiesAreText())
  await before(stored)
  const { newId, body } =
    typeof stored === 'string' ? renamed(stored, id, queue.queueName) : { newId: id, body: revive(stored) }
  const destination = destinationOf(queue, optionsOf(body) ?? {}, delayQueue)
  const args = [id, newId, body as Argument]
  return (await connection.run(script('requeue-dead-letter'), [...letter, ...destination.keys], args)) === 1
}

function find(keys: Keys, name: string): { id: string | Buffer; queue: QueueKeys; letter: string[] } | undefined {
  const [, queueName, shown] = name.match(/^([^:]+):(.*)$/s) ?? []
  if (queueName === undefined || shown === undefined) return undefined
  const queue = keys.queue(queueName)
  return { id: idArgument(readShownId(shown)), queue, letter: [queue.dead, queue.deadMessages, queue.deadReasons] }
}

/**
 * Returns the body with a new id, as with every enqueue, and without the count of attempts. All else is unchanged,
 * since Python's numbers can be larger than ours. A body that isn't a message keeps its id and its text.
 */
function renamed<I>(text: string, id: I, queueName: string): { newId: string | I; body: string } {
  const newId = uuid()
  try {
    const options = { eta: undefined, retries: undefined, redis_message_id: JSON.stringify(newId) }
    return { newId, body: rewrite(text, { queueName, options }) }
  } catch {
    return { newId: id, body: text }
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
