/** Groups: messages that run at the same time, and what follows when the last of them has ended. */
import type { Broker } from '../broker.js'
import { checkSettings, expected, refuseUnknown, show } from '../checks.js'
import type { Duration } from '../duration.js'
import { DramatisError, InvalidOption, ResultTimeout } from '../errors.js'
import { assertMessage, Message } from '../message.js'
import { waitForState } from '../state/waiting.js'
import { parseDuration } from '../time.js'
import { uuid } from '../uuid.js'
import { arrive, following, outcomeOf, setOutcome } from './arriving.js'
import { brokerOf } from './composition-broker.js'
import { endOutside } from './end-outside.js'
import { type GroupOutcome, groupKeys, type OnChildFailure } from './group-record.js'
import { resultsAsCompleted, resultsInOrder } from './group-results.js'
import { membershipOf } from './place.js'
import { type GroupUnit, Preparation } from './prepare.js'
import { runStarted } from './running.js'
import type { MemberResultsOf, Step, TakesOfAll } from './step-types.js'
import { toUnit } from './units.js'

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

/** How a group has ended: `'expired'` is a deadline that has passed. */
export type GroupEnd = GroupOutcome['state']

/**
 * Messages that run at the same time. Of `onComplete` and `onFailure` exactly one is sent, once, in the step that settles
 * the last member.
 *
 * @typeParam Results What its members return, in order.
 * @typeParam Takes What its members take from the step before the group in a pipeline.
 */
export class Group<Results extends readonly unknown[] = unknown[], Takes = any> {
  declare readonly _takes?: { readonly value: Takes }
  /** The id of this group, by which it can be cancelled. */
  readonly id = uuid()
  /** Its members: messages, pipelines and groups. */
  readonly members: readonly (Step & { readonly messages?: readonly Message[] })[]
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
    if (this.deadline !== undefined && this.#onFailure) await this.#sendDeadline(this.#onFailure, delay)
    for (const [index, survivor] of (survivors ?? []).entries()) {
      // Nothing of this group was stored: the message that runs in its place belongs to another sender.
      const membership = survivor && survivor.deduplicated !== 'replaced' && membershipOf(sent[index] as Message)
      const end = membership && { membership, failed: false, result: null, at: broker.clock.now() }
      if (end) await endOutside(broker, arrive(end, broker.stateFor('A group')))
    }
  }

  /** The deadline: `onFailure`, delayed, which runs only if the group hasn't ended by then. */
  async #sendDeadline(onFailure: Message, delay = 0): Promise<void> {
    const options = { ...onFailure.options, composition: { scopes: [], deadline_of: this.id } }
    const message = onFailure.with({ options, messageId: uuid() })
    await this.broker.enqueueEntries([{ message, delay: (this.deadline as number) + delay }])
  }

  async #completeEmpty(delay: number | undefined): Promise<void> {
    const { broker } = this
    const callbacks = this.#callbacks.map((callback) => callback.toWire())
    const record = { size: 0, on_child_failure: this.onChildFailure, callbacks }
    const sends = following(record, true, []).map((entry) => ({ ...entry, delay: entry.delay ?? delay }))
    await endOutside(broker, { changes: [setOutcome(this.id, outcomeOf('completed', 0, broker.clock.now()))], sends })
  }

  /**
   * As it is prepared.
   * @internal
   */
  unit(): GroupUnit {
    const { id, onChildFailure } = this
    const members = this.members.map(toUnit)
    return { kind: 'group', id, members, onChildFailure, callbacks: this.#callbacks, onFailure: this.#onFailure }
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
    const text = await waitForState(state, key, read, timeout)
    if (text === undefined) {
      const count = `${await this.completedCount()} of ${this.members.length}`
      throw new ResultTimeout(`The group had not ended after ${timeout} ms: ${count} members had.`)
    }
    return (JSON.parse(text) as GroupOutcome).state
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

function checkMember(member: unknown): Step & { readonly messages?: readonly Message[] } {
  const isStep = typeof member === 'object' && member !== null && ('messages' in member || member instanceof Message)
  if (isStep) return member as Step
  throw new InvalidOption(
    `Expected each member to be a message, a pipeline or a group; got ${show(member)}. Make messages with actor.message(…).`,
    'members',
  )
}
