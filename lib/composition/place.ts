/**
 * The place of a message in pipelines and groups: the option `composition`, which Python ignores, and Dramatiq's own
 * options `pipe_target`, `group_completion_uuid` and `group_completion_callbacks`.
 */
import type { WireMessage } from '../encoder.js'
import { Message } from '../message.js'
import type { GroupRecord } from './group-record.js'

/** A message's place among others. */
export interface Place {
  /** The ids of the pipelines and groups around it, outermost first. Cancelling one of them cancels the message. */
  readonly scopes: readonly string[]
  /** The message, or `group:<id>`, whose result it takes. */
  readonly before?: string | undefined
  /** The group that its end counts for. */
  readonly group?: Membership | undefined
  /** The group whose deadline it is: it runs only if that hasn't ended by then. */
  readonly deadline_of?: string | undefined
  /** The group whose callback it is, sent by Python after the last member. */
  readonly callback_of?: string | undefined
}

/** A member of a group: a message, or all messages of a pipeline. */
export interface Membership {
  /** The id of the group. */
  readonly id: string
  /** Which member it is, from 0. */
  readonly member: number
  /** How many there are. */
  readonly size: number
  /** Whether a failure cancels the others. */
  readonly cancel_others?: boolean | undefined
  /** Whether its result is kept for what follows the group. */
  readonly collect?: boolean | undefined
  /**
   * What Dramatiq's barrier counts, because some members may run in Python: every end, or the successes only. Then Python
   * won't send the callbacks of a group that has failed.
   */
  readonly barrier?: 'ends' | 'successes' | undefined
}

/** What begins after a message or a group: messages, and the records of their groups. */
export interface Start {
  readonly messages: readonly { readonly message: WireMessage; readonly delay?: number | undefined }[]
  /** What is known of these groups, by their ids. */
  readonly records: readonly (readonly [id: string, record: GroupRecord])[]
}

/** The place of a message; `undefined` for one outside of compositions, or one that a foreign producer malformed. */
export function placeOf(message: { option(name: string): unknown }): Place | undefined {
  const place = message.option('composition') as Partial<Place> | null | undefined
  if (typeof place !== 'object' || place === null || !Array.isArray(place.scopes)) return undefined
  return place as Place
}

/** The membership of a message, if it has one that can be read. */
export function membershipOf(message: { option(name: string): unknown }): Membership | undefined {
  const group = placeOf(message)?.group
  if (typeof group !== 'object' || group === null) return undefined
  const { id, member, size } = group
  return typeof id === 'string' && Number.isSafeInteger(member) && Number.isSafeInteger(size) ? group : undefined
}

const placeOptions = [
  'composition',
  'pipe_target',
  'pipe_group',
  'group_completion_uuid',
  'group_completion_callbacks',
] as const

/** The options that make up the place of a message in pipelines and groups; `undefined` outside of them. */
export function placeOptionsOf({ options }: Message): Record<string, unknown> | undefined {
  const names = placeOptions.filter((name) => options[name] !== undefined)
  return names.length === 0 ? undefined : Object.fromEntries(names.map((name) => [name, options[name]]))
}

/** Options with another place. */
export function withPlace(
  options: Readonly<Record<string, unknown>>,
  place: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const rest = Object.entries(options).filter(([name]) => !(placeOptions as readonly string[]).includes(name))
  return { ...Object.fromEntries(rest), ...place }
}

/**
 * The options of a message without its membership: the group has counted its end, and won't count another one.
 */
export function withoutMembership(options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { composition } = options
  if (typeof composition !== 'object' || composition === null || !('group' in composition)) return options
  const { group: _, ...place } = composition
  return { ...options, composition: place }
}

/** What the message starts after its success, if that is more than one message: see `pipe_target` for that. */
export function startOf(message: { option(name: string): unknown }): Start | undefined {
  const start = message.option('pipe_group') as Partial<Start> | null | undefined
  if (typeof start !== 'object' || start === null) return undefined
  return Array.isArray(start.messages) && Array.isArray(start.records) ? (start as Start) : undefined
}

/** Whether something follows the success of the message. */
export function continues(message: { option(name: string): unknown }): boolean {
  return (message.option('pipe_target') ?? message.option('pipe_group') ?? undefined) !== undefined
}

/** The messages of a start, with the result of what came before, if they shall take it. */
export function startMessages(
  { messages }: Start,
  before?: { readonly result: unknown },
): { message: Message; delay?: number | undefined }[] {
  return messages.map(({ message: wire, delay }) => {
    const message = Message.fromWire(wire)
    return { message: before ? withResult(message, before.result) : message, delay }
  })
}

/** The delay that a step has of its own, in milliseconds. */
export function delayOf({ options: { delay } }: Message): number | undefined {
  return typeof delay === 'number' && Number.isFinite(delay) && delay > 0 ? delay : undefined
}

/** A message that takes a result as its last argument, unless it ignores it. */
export function withResult(message: Message, result: unknown): Message {
  return message.options.pipe_ignore ? message : message.with({ args: [...message.args, result ?? null] })
}

/** All messages that come after a message, in its pipeline and in the groups there. */
export function* messagesAfter(message: Message): Generator<Message> {
  const target = message.options.pipe_target
  const start = startOf(message)
  if (target !== undefined && target !== null) yield* each([target])
  if (!start) return
  yield* each(start.messages.map((one) => one.message))
  for (const [, record] of start.records) {
    const next = record?.next
    if (next) yield* each(next.messages.map((one) => one.message))
  }
}

function* each(wires: readonly unknown[]): Generator<Message> {
  for (const wire of wires) {
    const message = Message.fromWire(wire)
    yield message
    yield* messagesAfter(message)
  }
}
