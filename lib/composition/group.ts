/** Groups: messages that run at the same time, and what follows when the last of them has ended. */
import type { Broker } from '../broker.js'
import { checkSettings, expected, refuseUnknown, show } from '../checks.js'
import type { Duration } from '../duration.js'
import { DramatisError, InvalidOption, ResultTimeout } from '../errors.js'
import { assertMessage, Message } from '../message.js'
import { waitForState } from '../state/waiting.js'
import { parseDuration } from '../time.js'
import { uuid } from '../uuid.js'
import { endOfDeduplicated, following, setOutcome } from './arriving.js'
import { brokerOf } from './composition-broker.js'
import { endOutside } from './end-outside.js'
import { expire } from './expiring.js'
import { type GroupOutcome, type GroupRecord, groupKeys, type OnChildFailure } from './group-record.js'
import { resultsAsCompleted, resultsInOrder } from './group-results.js'
import { type GroupUnit, Preparation, toUnit, type Unit } from './prepare.js'
import { runStarted } from './running.js'
import type { MemberResultsOf, Step, TakesOfAll } from './step-types.js'

/** How a group runs. */
export interface GroupOptions {
  /**
   * What the failure of a member means: `'fail'`, the group fails once all have ended; `'continue'`, it completes;
   * `'cancel-others'`, as `'fail'`, and the members that haven't ended are cancelled. A cancelled, an expired and a flushed
   * message count as failures; a skipped and a deduplicated one don't.
   * @default 'fail'
   */
  onChildFailure?: OnChildFailure | undefined
  /**
   * How long the group may take. Then it has failed: `onFailure` is sent, and what ends later changes nothing.
   * @default no limit
   */
  deadline?: Duration | undefined
  /** Sent when all members have ended and the group has not failed. */
  onComplete?: Message | undefined
  /** Sent when all members have ended and the group has failed, or when its deadline has passed. */
  onFailure?: Message | undefined
  /** The broker it runs on. @default that of its first message */
  broker?: Broker | undefined
}

/** A message, or a pipeline or a group with its messages. */
type Member = Message | (Step & { readonly messages: readonly Message[]; unit(): Unit })

/** How a group has ended: `'expired'` is a deadline that has passed. */
export type GroupEnd = GroupOutcome['state']

/**
 * Messages that run at the same time. Of `onComplete` and `onFailure` exactly one is sent, once, in the step that settles
 * the last member.
 *
 * @typeParam Results What its members return, in order.
 * @typeParam Takes What its members take from the step before the group in a pipeline.
 */
// biome-ignore lint/suspicious/noExplicitAny: whatever comes
export class Group<Results extends readonly unknown[] = unknown[], Takes = any> {
  declare readonly _takes?: { readonly value: Takes }
  /** The id of this group, by which it can be cancelled. */
  readonly id = uuid()
  /** Its members: messages, pipelines and groups. */
  readonly members: readonly Member[]
  readonly onChildFailure: OnChildFailure
  /** In milliseconds. */
  readonly deadline: number | undefined
  readonly #callbacks: Message[]
  readonly #onFailure: Message | undefined
  readonly #broker: Broker | undefined
  #ran = false

  constructor(members: readonly Step[], options: GroupOptions = {}) {
    if (!Array.isArray(members)) throw expected('an array of messages, pipelines and groups', members, 'members')
    checkSettings(options, 'group()')
    refuseUnknown(options, ['onChildFailure', 'deadline', 'onComplete', 'onFailure', 'broker'], 'group()')
    const { onChildFailure = 'fail', deadline, onComplete, onFailure, broker } = options
    if (!['fail', 'continue', 'cancel-others'].includes(onChildFailure))
      throw expected('"fail", "continue" or "cancel-others"', onChildFailure, 'onChildFailure')
    for (const callback of [onComplete, onFailure]) if (callback !== undefined) assertMessage(callback)
    this.members = members.map(checkMember)
    this.onChildFailure = onChildFailure
    this.deadline = deadline === undefined ? undefined : parseDuration(deadline, 'deadline')
    this.#callbacks = onComplete ? [onComplete] : []
    this.#onFailure = onFailure
    this.#broker = broker
  }

  /** Adds a message that is sent when the group has completed, as `onComplete`. Before `run()`. */
  addCompletionCallback(message: Message): this {
    assertMessage(message)
    if (this.#ran) throw new DramatisError('The group runs already: add its callbacks before run().')
    this.#callbacks.push(message)
    return this
  }

  /**
   * Stores all members; resolves once they are stored. A group runs once.
   *
   * @param options.delay How long until they may run; a member's own delay, if that is longer.
   */
  async run(options: { delay?: Duration | undefined } = {}): Promise<this> {
    checkSettings(options, 'run()')
    refuseUnknown(options, ['delay'], 'run()')
    const delay = options.delay === undefined ? undefined : parseDuration(options.delay, 'delay')
    if (this.#ran) throw new DramatisError('A group runs once: make another one with new messages.')
    this.#ran = true
    try {
      await this.#run(delay)
    } catch (error) {
      this.#ran = false
      throw error
    }
    return this
  }

  async #run(delay: number | undefined): Promise<void> {
    const { broker } = this
    if (this.members.length === 0) return this.#completeEmpty(delay)
    const preparation = new Preparation((message) => !broker.actors.has(message.actorName))
    const { sent, survivors } = await runStarted(preparation.start(this.unit()), broker, delay)
    for (const [index, survivor] of (survivors ?? []).entries()) {
      const end = survivor && endOfDeduplicated(sent[index] as Message, survivor, broker)
      if (end) await endOutside(broker, end)
    }
  }

  async #completeEmpty(delay: number | undefined): Promise<void> {
    const { broker } = this
    const callbacks = this.#callbacks.map((callback) => callback.toWire())
    const record = { size: 0, on_child_failure: this.onChildFailure, callbacks }
    const sends = following(record, true, []).map((entry) => ({ ...entry, delay: entry.delay ?? delay }))
    const outcome = { state: 'completed', failed: 0, at: broker.clock.now() } as const
    await endOutside(broker, { changes: [setOutcome(this.id, outcome)], sends })
  }

  /**
   * As it is prepared.
   * @internal
   */
  unit(): GroupUnit {
    const { id, onChildFailure, deadline } = this
    const members = this.members.map(toUnit)
    const [callbacks, onFailure] = [this.#callbacks, this.#onFailure]
    return { kind: 'group', id, members, onChildFailure, callbacks, onFailure, deadline }
  }

  /** The broker it runs on. */
  get broker(): Broker {
    return brokerOf(
      this.members as readonly Message[],
      this.#broker ?? (this.#callbacks[0]?.origin as Broker | undefined),
    )
  }

  /** All its messages, those of pipelines and groups within it too. */
  get messages(): readonly Message[] {
    return this.members.flatMap((member) => (member instanceof Message ? [member] : [...(member.messages ?? [])]))
  }

  /** How many members have ended, however they did. */
  async completedCount(): Promise<number> {
    return this.broker.stateFor('A group').size(groupKeys.ended(this.id))
  }

  /**
   * Waits until the group has ended.
   *
   * @param options.timeout How long to wait. @default '10s'
   * @returns How it has ended.
   * @throws {ResultTimeout} if it hasn't ended in time.
   */
  async wait(options: { timeout?: Duration | undefined } = {}): Promise<GroupEnd> {
    checkSettings(options, 'wait()')
    refuseUnknown(options, ['timeout'], 'wait()')
    const timeout = parseDuration(options.timeout ?? 10_000, 'timeout')
    const state = this.broker.stateFor('A group')
    const key = groupKeys.outcome(this.id)
    const read = async (): Promise<string | undefined> => (await state.read([key]))[0]
    const left = await this.#deadlineLeft()
    const text = await waitForState(state, key, read, Math.min(timeout, left))
    if (text !== undefined) return (JSON.parse(text) as GroupOutcome).state
    if (left <= timeout) return expire(this.id, this.id, this.broker)
    const count = `${await this.completedCount()} of ${this.members.length}`
    throw new ResultTimeout(`The group had not ended after ${timeout} ms: ${count} members had.`)
  }

  /** How long until its deadline, in milliseconds. Within a pipeline or a group that is known only once it runs. */
  async #deadlineLeft(): Promise<number> {
    if (this.deadline === undefined) return Number.POSITIVE_INFINITY
    const [text] = await this.broker.stateFor('A group').read([groupKeys.record(this.id)])
    const { ends_at: end = Number.POSITIVE_INFINITY } = JSON.parse(text ?? '{}') as Partial<GroupRecord>
    return Math.max(0, end - this.broker.clock.now())
  }

  /**
   * Waits for the results of all members, in their order.
   *
   * @param options.timeout How long to wait for all of them. @default '10s'
   * @throws {ResultFailure} if a member failed permanently, {ResultTimeout} if one has no result in time.
   */
  async result(options: { timeout?: Duration | undefined } = {}): Promise<Results> {
    const results: unknown[] = []
    for await (const result of resultsInOrder(this.members, options)) results.push(result)
    return results as unknown as Results
  }

  /**
   * The results of the members, in their order, or `asCompleted`: as soon as each is there.
   *
   * @param options.timeout How long to wait for all of them. @default '10s'
   * @throws as `result`, when the failed one comes.
   */
  results(
    options: { timeout?: Duration | undefined; asCompleted?: boolean | undefined } = {},
  ): AsyncGenerator<Results[number], void> {
    checkSettings(options, 'results()')
    refuseUnknown(options, ['timeout', 'asCompleted'], 'results()')
    const { asCompleted = false, ...rest } = options
    const results = asCompleted ? resultsAsCompleted(this.members, rest) : resultsInOrder(this.members, rest)
    return results as AsyncGenerator<Results[number], void>
  }
}

/**
 * Makes a group: messages, pipelines and groups that run at the same time.
 *
 * @example
 * const resized = group(sizes.map((size) => resize.message(image, size)), { onComplete: publish.message(image) })
 * await resized.run()
 * await resized.wait({ timeout: '1m' }) // 'completed'
 */
export function group<const M extends readonly Step[]>(
  members: M,
  options: GroupOptions = {},
): Group<MemberResultsOf<M>, TakesOfAll<M>> {
  return new Group<MemberResultsOf<M>, TakesOfAll<M>>(members, options)
}

function checkMember(member: unknown): Member {
  const isMember = typeof member === 'object' && member !== null && ('messages' in member || member instanceof Message)
  if (isMember) return member as Member
  throw new InvalidOption(
    `Expected each member to be a message, a pipeline or a group; got ${show(member)}. Make messages with actor.message(…).`,
    'members',
  )
}
