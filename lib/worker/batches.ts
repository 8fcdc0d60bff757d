/**
 * Gathers the messages of batch actors, and runs each batch as one. To the runner a batch is a single execution, in one
 * slot; each of its messages, a member, keeps its own execution, which gets its own end.
 *
 * A batch that gathers occupies no slot. It is due when it is full, or when its first message has waited long enough,
 * and starts in the next free slot.
 */
import type { BatchSettings } from '../actor-contract.js'
import type { BatchEnd } from '../batch.js'
import { type Interrupt, Shutdown } from '../errors.js'
import { toError } from '../failure.js'
import type { AnyActor } from '../middleware.js'
import { countOf } from '../options.js'
import type { Clock } from '../time.js'
import {
  type DeliverySettlements,
  Execution,
  type ExecutionObserver,
  GivenBack,
  type RunControl,
  type TimeAllowance,
} from './execution.js'

interface Batch {
  readonly actor: AnyActor
  readonly members: Execution[]
  /** The one that counts as held while the batch runs. All others are excluded, so that more are fetched. */
  held: Execution | undefined
  timer: unknown
  /** Its run, once it has started. */
  execution: Execution | undefined
}

export interface BatchesOptions {
  readonly runner: RunControl
  readonly clock: Clock
  /** Called when a batch is due, and when messages occupy fewer slots than before. */
  readonly onChange: () => void
  /** Whether each message runs in a batch of its own. @default false */
  readonly alone?: boolean
}

export class Batches implements RunControl {
  /** How many messages that have begun occupy no slot: all of a gathering batch, all but one of a running one. */
  withoutSlot = 0
  /** How many batches wait for a slot. */
  due = 0
  readonly #options: BatchesOptions
  readonly #gathering = new Map<AnyActor, Batch>()
  #due: Batch[] = []
  #stopped = false

  constructor(options: BatchesOptions) {
    this.#options = options
  }

  // — Gathering ——————————————————————————————————————————————————————————————————————————————————————————

  /** A message joins the batch of its actor. */
  run(execution: Execution): void {
    if (this.#stopped) return execution.fail(new GivenBack('the worker stops'))
    // The batch is timed as a whole, from its start.
    execution.endWatch()
    const { actor, message } = execution
    const settings = actor.batch as BatchSettings
    const isAlone = this.#options.alone || (settings.retryAlone && countOf(message, 'retries') > 0)
    const batch = (isAlone ? undefined : this.#gathering.get(actor)) ?? this.#open(actor, settings, isAlone)
    batch.members.push(execution)
    execution.run = batch
    this.withoutSlot++
    execution.settlements.exclude(1)
    if (isAlone || batch.members.length >= settings.size) this.#complete(batch)
    this.#options.onChange()
  }

  #open(actor: AnyActor, { linger }: BatchSettings, isAlone: boolean): Batch {
    const batch: Batch = { actor, members: [], held: undefined, timer: undefined, execution: undefined }
    if (isAlone) return batch
    this.#gathering.set(actor, batch)
    const end = (): void => {
      if (this.#gathering.get(actor) !== batch) return
      this.#makeDue(batch)
      this.#options.onChange()
    }
    if (linger === 0) setImmediate(end)
    else batch.timer = this.#options.clock.setTimeout(end, linger)
    return batch
  }

  /** It waits for a slot. Until it starts, or is full, others may still join it. */
  #makeDue(batch: Batch): void {
    this.#options.clock.clearTimeout(batch.timer)
    if (!this.#due.includes(batch)) this.due = this.#due.push(batch)
  }

  #complete(batch: Batch): void {
    if (this.#gathering.get(batch.actor) === batch) this.#gathering.delete(batch.actor)
    this.#makeDue(batch)
  }

  #remove(batch: Batch): void {
    this.#complete(batch)
    this.#due = this.#due.filter((one) => one !== batch)
    this.due = this.#due.length
  }

  // — Running ————————————————————————————————————————————————————————————————————————————————————————————

  /** Starts the batch that has been due for longest; called when there is a free slot. */
  startNext(): boolean {
    if (this.due === 0) return false
    const batch = this.#due[0] as Batch
    this.#remove(batch)
    this.#start(batch)
    return true
  }

  #start(batch: Batch): void {
    const { actor, members } = batch
    const { runner, clock } = this.#options
    const observer: ExecutionObserver = {
      onResult: (execution, ends) => {
        const { overridingError } = execution
        if (overridingError) this.#failAll(batch, overridingError)
        else this.#end(batch, ends as readonly BatchEnd[])
      },
      onError: (execution, thrown) => this.#failAll(batch, execution.resolveError(toError(thrown))),
    }
    const held = members[0] as Execution
    const { message, delivery, settlements, chain } = held
    const execution = new Execution(message, delivery, heldBy(settlements), actor, chain, runner, clock, observer)
    execution.members = members
    execution.wanted = 'any'
    const allowed = strictest(members)
    if (allowed) execution.allow(allowed)
    batch.execution = execution
    batch.held = held
    settlements.exclude(-1)
    this.withoutSlot--
    try {
      execution.start()
    } catch (error) {
      execution.fail(error)
    }
  }

  #failAll(batch: Batch, error: Error): void {
    this.#end(
      batch,
      batch.members.map(() => [undefined, error]),
    )
  }

  /** The run is over: its slot is free, and each member ends. */
  #end({ execution, members }: Batch, ends: readonly BatchEnd[]): void {
    execution?.endWatch()
    this.withoutSlot++
    for (const [index, member] of members.entries()) {
      if (member.actorEnded) continue
      this.#leave(member)
      const [result, error] = ends[index] as BatchEnd
      if (error) member.fail(error)
      else member.succeed(member.wanted === 'none' ? undefined : result)
    }
  }

  /** The end of a member will be reported next. */
  #leave(member: Execution): void {
    this.withoutSlot--
    if (member !== (member.run as Batch).held) member.settlements.exclude(-1)
  }

  // — Interrupting ———————————————————————————————————————————————————————————————————————————————————————

  /**
   * A member that is interrupted ends at once, and its batch goes on for the others. A shutdown is a request to the whole
   * batch, and so is the interruption of the only member that is left.
   */
  abort(member: Execution, reason: Interrupt): void {
    const batch = member.run as Batch | undefined
    if (!batch || member.actorEnded) return
    const { execution, members } = batch
    if (execution && (reason instanceof Shutdown || members.every((one) => one === member || one.actorEnded)))
      return execution.interrupt(reason, undefined)
    if (!execution) {
      members.splice(members.indexOf(member), 1)
      if (members.length === 0) this.#remove(batch)
    }
    this.#leave(member)
    member.fail(reason)
  }

  kill(member: Execution, reason: Interrupt): number {
    const { execution } = member.run as Batch
    return execution && !member.actorEnded ? this.#options.runner.kill(execution, reason) : 0
  }

  /** Members have no time limit of their own. */
  blockedTime(): number {
    return 0
  }

  /** Batches that haven't started return to their queues, and so do messages that would join one. */
  stop(): void {
    this.#stopped = true
    for (const batch of new Set([...this.#gathering.values(), ...this.#due])) {
      this.#remove(batch)
      for (const member of batch.members) {
        this.#leave(member)
        member.fail(new GivenBack('the worker stops'))
      }
    }
  }
}

/** The shortest of the members' time limits. */
function strictest(members: readonly Execution[]): TimeAllowance | undefined {
  let least: TimeAllowance | undefined
  for (const { allowed } of members) if (allowed && allowed.limit < (least?.limit ?? Infinity)) least = allowed
  return least
}

/** A batch counts as one message that is held. It is settled by its members. */
function heldBy(settlements: DeliverySettlements): DeliverySettlements {
  const { consumer } = settlements
  const never = (): never => {
    throw new Error('A batch is settled by its members.')
  }
  return { consumer, acknowledge: never, ran: never, settled: never, exclude: (more) => settlements.exclude(more) }
}
