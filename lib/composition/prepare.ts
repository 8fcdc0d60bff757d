/**
 * Prepares a composition for its run: gives each message its place, chains the steps of pipelines, and makes the records
 * of groups. All ids are known before anything is stored.
 */
import type { WireMessage } from '../encoder.js'
import { Message } from '../message.js'
import { uuid } from '../uuid.js'
import type { GroupRecord, OnChildFailure } from './group-record.js'
import { delayOf, type Membership, type Place, type Start } from './place.js'

/** A pipeline, as it is prepared. */
export interface PipelineUnit {
  readonly kind: 'pipeline'
  readonly id: string
  readonly steps: readonly Unit[]
}

/** A group, as it is prepared. */
export interface GroupUnit {
  readonly kind: 'group'
  readonly id: string
  readonly members: readonly Unit[]
  readonly onChildFailure: OnChildFailure
  readonly callbacks: readonly Message[]
  readonly onFailure: Message | undefined
  /** In milliseconds. */
  readonly deadline: number | undefined
}

export type Unit = Message | PipelineUnit | GroupUnit

/** The unit of a message, a pipeline or a group. */
export function toUnit(part: Message | { unit(): Unit }): Unit {
  return part instanceof Message ? part : part.unit()
}

/** What surrounds a unit. */
interface Surroundings {
  readonly scopes: readonly string[]
  readonly before?: string | undefined
  readonly group?: Membership | undefined
  /** What starts after it. */
  readonly next?: Started | undefined
  /** The callbacks of its group, if Dramatiq's barrier counts its members. */
  readonly barrier?: { readonly id: string; readonly callbacks: readonly Message[] } | undefined
}

/** What begins, before it becomes part of a message. */
export interface Started {
  readonly messages: readonly Message[]
  readonly records: readonly (readonly [id: string, record: GroupRecord])[]
  /** Groups whose members may run in Python, and how many there are. */
  readonly barriers: readonly (readonly [id: string, size: number])[]
}

/** Whether an actor of that name may run elsewhere, in Python for example. */
export type RunsElsewhere = (message: Message) => boolean

export class Preparation {
  readonly #runsElsewhere: RunsElsewhere

  constructor(runsElsewhere: RunsElsewhere) {
    this.#runsElsewhere = runsElsewhere
  }

  start(unit: Unit, surroundings: Surroundings = { scopes: [] }): Started {
    if (unit instanceof Message) return this.#message(unit, surroundings)
    return unit.kind === 'pipeline' ? this.#pipeline(unit, surroundings) : this.#group(unit, surroundings)
  }

  #message(message: Message, { scopes, before, group, next, barrier }: Surroundings): Started {
    const composition: Place = { scopes, before, group }
    const options: Record<string, unknown> = { ...message.options, composition }
    if (next) Object.assign(options, follow(next))
    else if (barrier) {
      options.group_completion_uuid = barrier.id
      options.group_completion_callbacks = barrier.callbacks.map((callback) => callbackOf(barrier.id, callback))
    }
    return { messages: [message.with({ options })], records: [], barriers: next?.barriers ?? [] }
  }

  /** From the last step to the first: each contains those that follow it. */
  #pipeline({ id, steps }: PipelineUnit, surroundings: Surroundings): Started {
    const scopes = [...surroundings.scopes, id]
    let next = surroundings.next
    for (const [index, step] of [...steps.entries()].reverse()) {
      const before = index === 0 ? surroundings.before : nameOf(steps[index - 1] as Unit)
      next = this.start(step, { ...surroundings, scopes, before, next })
    }
    return next as Started
  }

  #group(unit: GroupUnit, { scopes, before, group: parent, next }: Surroundings): Started {
    const { id, members, onChildFailure, callbacks, onFailure, deadline } = unit
    const collect = next !== undefined || (parent?.collect ?? false)
    const hasBarrier = callbacks.length > 0 && members.some((member) => endsElsewhere(member, this.#runsElsewhere))
    const record: GroupRecord = {
      size: members.length,
      on_child_failure: onChildFailure,
      callbacks: callbacks.map((callback) => callback.toWire()),
      on_failure: onFailure?.toWire(),
      next: next && toStart(next),
      parent,
      collect,
      deadline,
    }
    const starts = members.map((member, index) => {
      const group: Membership = {
        id,
        member: index,
        size: members.length,
        cancel_others: onChildFailure === 'cancel-others' || undefined,
        collect: collect || undefined,
        barrier: hasBarrier ? this.#barrierCounts(unit) : undefined,
      }
      const barrier = hasBarrier && endsElsewhere(member, this.#runsElsewhere) ? { id, callbacks } : undefined
      return this.start(member, { scopes: [...scopes, id], before, group, barrier })
    })
    return {
      messages: [...starts.flatMap(({ messages }) => messages), ...deadlineMessages(unit)],
      records: [[id, record], ...starts.flatMap(({ records }) => records)],
      barriers: [
        ...(hasBarrier ? [[id, members.length] as const] : []),
        ...starts.flatMap(({ barriers }) => barriers),
        ...(next?.barriers ?? []),
      ],
    }
  }

  /** A callback that runs here learns whether the group has failed, see `ending-elsewhere.ts`. One in Python doesn't. */
  #barrierCounts({ onChildFailure, callbacks }: GroupUnit): Membership['barrier'] {
    return onChildFailure !== 'continue' && callbacks.some(this.#runsElsewhere) ? 'successes' : 'ends'
  }
}

/** A callback as Python sends it. */
function callbackOf(id: string, callback: Message): WireMessage {
  const composition: Place = { scopes: [], callback_of: id }
  return callback.with({ options: { ...callback.options, composition } }).toWire()
}

/** The deadline: `onFailure`, delayed, which runs only if the group hasn't ended by then. Nothing else may replace it. */
function deadlineMessages({ id, onFailure, deadline }: GroupUnit): Message[] {
  if (deadline === undefined || !onFailure) return []
  const { unique: _, ...others } = onFailure.options
  const options = { ...others, delay: deadline, pipe_ignore: true, composition: { scopes: [], deadline_of: id } }
  return [onFailure.with({ options, messageId: uuid() })]
}

/** The options of a message that is followed by something: Dramatiq's for one message, ours for a group. */
function follow(next: Started): Record<string, unknown> {
  const [only] = next.messages
  if (next.records.length > 0 || next.messages.length !== 1 || !only) return { pipe_group: toStart(next) }
  return { pipe_target: only.toWire() }
}

function toStart({ messages, records }: Started): Start {
  return { messages: messages.map((message) => ({ message: message.toWire(), delay: delayOf(message) })), records }
}

/** What a step is called by the one after it. */
function nameOf(unit: Unit): string {
  if (unit instanceof Message) return unit.messageId
  return unit.kind === 'group' ? `group:${unit.id}` : nameOf(unit.steps.at(-1) as Unit)
}

/** Whether the message whose end counts may run elsewhere. */
function endsElsewhere(unit: Unit, runsElsewhere: RunsElsewhere): boolean {
  if (unit instanceof Message) return runsElsewhere(unit)
  return unit.kind === 'pipeline' && endsElsewhere(unit.steps.at(-1) as Unit, runsElsewhere)
}

/** A new id. */
export const newId = uuid
