/** Looks where cancelled messages are, once they are marked, and makes the delayed ones due. */
import type { QueueSearch, ScannedMessage } from '../consumer.js'
import { getEncoder, JSONEncoder } from '../encoder.js'
import { DecodeError } from '../errors.js'
import { Message } from '../message.js'
import { isCancellable, scopesOf } from './marks.js'

/** The ids of the messages that were found, by what can be done about them. */
export interface Found {
  /** Those that waited when they were found first. */
  readonly waiting: Set<string>
  /** Those that a worker held. */
  readonly held: Set<string>
  /** Those that can't be cancelled. */
  readonly refused: Set<string>
  /** The ids of the pipelines and groups around those that can. */
  readonly scopes: Set<string>
}

/** Nothing found yet. */
export function nothingFound(): Found {
  return { waiting: new Set(), held: new Set(), refused: new Set(), scopes: new Set() }
}

/** Which messages are searched for. */
export interface Wanted {
  /** A text that is in the body of each of them. */
  readonly containing: string | undefined
  readonly includes: (message: Message) => boolean
}

/**
 * Adds to `found` what it finds.
 * @param runNow Whether delayed messages are made due, so that a worker ends them now.
 */
export async function search(
  queues: QueueSearch,
  queueNames: Iterable<string>,
  { containing, includes }: Wanted,
  { runNow, found = nothingFound() }: { runNow: boolean; found?: Found },
): Promise<Found> {
  for (const queueName of queueNames) {
    for await (const page of queues.scan(queueName, { containing: asPlain(containing) })) {
      const delayed = []
      for (const one of page) {
        const message = decode(one)
        if (!message || !includes(message)) continue
        note(message, one.state, found)
        if (one.state === 'delayed' && isCancellable(message)) delayed.push(one.ref)
      }
      if (runNow && delayed.length > 0) await queues.runNow(queueName, delayed)
    }
  }
  return found
}

function note(message: Message, state: ScannedMessage['state'], { waiting, held, refused, scopes }: Found): void {
  const { messageId } = message
  if (!isCancellable(message)) {
    refused.add(messageId)
    return
  }
  for (const scope of scopesOf(message)) if (scope !== messageId) scopes.add(scope)
  // One that waited may be held by now: its worker knows that it is cancelled.
  if (state !== 'held') waiting.add(messageId)
  else if (!waiting.has(messageId)) held.add(messageId)
}

/** A text that is found in a body as it is. For any other, and for another encoder, every body must be decoded. */
function asPlain(text: string | undefined): string | undefined {
  const isPlain = text !== undefined && /^[\w.:-]+$/.test(text) && getEncoder() instanceof JSONEncoder
  return isPlain ? text : undefined
}

function decode({ body }: ScannedMessage): Message | undefined {
  try {
    return Message.decode(body)
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}
