/**
 * What plugins add to the step that stores a message, and to the one that settles it: changes of the state, and messages.
 * If a change is refused, the step has done nothing, and the part that it belongs to is replaced before it is tried again.
 */
import type { Message } from '../message.js'
import type { Entry } from '../outcome.js'
import type { Refusal, StateChange } from './changes.js'
import type { Survivor } from './survivor.js'

type Awaitable<T> = T | Promise<T>

/** A part of the step that stores a message. */
export interface StoragePart {
  readonly changes: readonly StateChange[]
  /** The message as it is stored, if this part changes it. */
  readonly entry?: Entry | undefined
  /** The handle of a waiting message that this one replaces. */
  readonly replaces?: string | undefined
  /**
   * Messages with the same key are stored one after the other, as far as this process sends them: at once, all but one of
   * them would be refused, again and again.
   */
  readonly orderKey?: string | undefined
  /** More changes, without conditions, made of the message as it is stored: another part may have changed it. */
  readonly record?: ((stored: Entry) => readonly StateChange[]) | undefined
  /**
   * Called if a change is refused, or if the message to be replaced doesn't wait any more (`index` is -1 then). Returns
   * the part that takes its place, or the message that the send stands for. @default the send fails
   */
  readonly refused?: ((refusal: Refusal) => Awaitable<StoragePart | Survivor>) | undefined
}

/** What parts record of a message as it is stored. */
export function recordsOf(parts: readonly StoragePart[], stored: Entry): readonly StateChange[] {
  return parts.flatMap(({ record }) => record?.(stored) ?? [])
}

/** Whether a part has a condition, or changes what is stored. */
export function isConditional({ changes, entry, replaces }: StoragePart): boolean {
  return changes.length > 0 || entry !== undefined || replaces !== undefined
}

/** A message with what must be true for it to be stored. */
export interface ConditionalEntry {
  readonly entry: Entry
  readonly changes: readonly StateChange[]
  readonly replaces: string | undefined
  /** Messages that are stored with it, or not at all. */
  readonly others?: readonly Entry[] | undefined
}

/** A part of the step that settles a message. */
export interface SettlementPart {
  readonly changes: readonly StateChange[]
  /** Messages that are sent in the step. */
  readonly sends?: readonly Entry[] | undefined
  /** Called if a change is refused. Returns the parts that take its place. @default none */
  readonly refused?:
    | ((refusal: Refusal) => Awaitable<SettlementPart | readonly SettlementPart[] | undefined>)
    | undefined
}

/** The part that sends a message on conditions; `undefined` for one that has none. */
export type Conditions = (entry: Entry) => SettlementPart | undefined

/** The step that settles a message, while plugins add to it. */
export class SettlementStep {
  /** The retried message, if it is retried; a plugin may replace it by a changed copy. */
  copy: Entry | undefined
  readonly #conditions: Conditions
  #parts: SettlementPart[] = []

  /** @param sends What the plugins have sent so far, without the copy. */
  constructor(copy: Entry | undefined, sends: readonly Entry[], conditions: Conditions = () => undefined) {
    this.copy = copy
    this.#conditions = conditions
    for (const entry of sends) this.add({ changes: [], sends: [entry] })
  }

  /** Adds a part. */
  add(part: SettlementPart): void {
    this.#parts.push(withConditions(part, this.#conditions))
  }

  /** Sends a message in the step. */
  send(message: Message, delay?: number): void {
    this.add({ changes: [], sends: [{ message, delay }] })
  }

  get changes(): readonly StateChange[] {
    return this.#parts.flatMap(({ changes }) => changes)
  }

  /** All messages of the step; the retried one comes first. */
  get entries(): readonly Entry[] {
    const added = this.#parts.flatMap(({ sends = [] }) => sends)
    return this.copy ? [this.copy, ...added] : added
  }

  /** Replaces the part whose change was refused. */
  async amend(refusal: Refusal): Promise<void> {
    const at = partOf(this.#parts, refusal.index)
    const refused = this.#parts[at.part] as SettlementPart
    const next = (await refused.refused?.({ ...refusal, index: at.index })) ?? []
    this.#parts.splice(at.part, 1, ...[next].flat().map((part) => withConditions(part, this.#conditions)))
  }
}

/** A part whose messages are sent only if their own conditions hold. Those that don't leave the rest as it is. */
function withConditions(part: SettlementPart, conditions: Conditions): SettlementPart {
  const { sends = [] } = part
  const conditional = sends.map(conditions)
  if (conditional.every((one) => one === undefined)) return part
  const others = sends.filter((_, index) => !conditional[index])
  return join([{ ...part, sends: others }, ...conditional.filter((one) => one !== undefined)])
}

/** One part of several. If the first one is refused, what takes its place replaces all of them. */
export function join(parts: readonly SettlementPart[]): SettlementPart {
  return {
    changes: parts.flatMap(({ changes }) => changes),
    sends: parts.flatMap(({ sends = [] }) => sends),
    async refused(refusal) {
      const { part, index } = partOf(parts, refusal.index)
      const next = await parts[part]?.refused?.({ ...refusal, index })
      if (part === 0) return next
      return join(parts.toSpliced(part, 1, ...[next ?? []].flat()))
    },
  }
}

/** The part that a change belongs to, by its place among all changes, and its place there. */
export function partOf(
  parts: readonly { readonly changes: readonly unknown[] }[],
  index: number,
): { part: number; index: number } {
  let left = index
  for (const [part, { changes }] of parts.entries()) {
    if (left < changes.length) return { part, index: left }
    left -= changes.length
  }
  throw new RangeError(`There is no change ${index} in the step.`)
}
