/** What a message knows of its pipelines and groups. */
import type { Message } from '../message.js'
import { membershipOf, messagesAfter, placeOf, startOf } from './place.js'

/** The place of a message in pipelines and groups. */
export interface Composition {
  /** The ids of the pipelines and groups around it, outermost first. */
  readonly scopes: readonly string[]
  /** The id of the message whose result it takes, or `group:<id>`. */
  readonly before: string | undefined
  /** The messages that start after its success: one, or the members of a group. */
  readonly next: readonly Message[]
  /** All messages that follow it, the next ones first. */
  readonly after: readonly Message[]
  /** The group that its end counts for, and which member it is, from 0. */
  readonly group: { readonly id: string; readonly member: number; readonly size: number } | undefined
}

/**
 * The place of a message in pipelines and groups; `undefined` if it is in none. For plugins and tools that show what
 * belongs together.
 *
 * @throws {DecodeError} if a message that follows it was malformed by its producer.
 */
export function compositionOf(message: Message): Composition | undefined {
  const place = placeOf(message)
  const after = [...messagesAfter(message)]
  if (!place && after.length === 0) return undefined
  const membership = membershipOf(message)
  const count = startOf(message)?.messages.length ?? 1
  return {
    scopes: place?.scopes ?? [],
    before: place?.before,
    next: after.filter((one, index) => (count > 1 ? placeOf(one)?.before === message.messageId : index === 0)),
    after,
    group: membership && { id: membership.id, member: membership.member, size: membership.size },
  }
}
