/**
 * Runs actors on the main event loop (`threads: 0`), for services that embed a worker, and for tests. Nothing can be
 * terminated here: an actor that ignores its signal continues unsupervised after its slot was freed.
 */
import { runBatch } from '../batch.js'
import type { Broker } from '../broker.js'
import { asPromise, RunningMessage, runActor } from '../current.js'
import { getEncoder, JSONEncoder } from '../encoder.js'
import type { Interrupt } from '../errors.js'
import { toError } from '../failure.js'
import { getLogger } from '../logger.js'
import { Message } from '../message.js'
import { refuseGenerator } from '../runnable.js'
import { type Execution, GivenBack, type Runner } from './execution.js'
import { reporterOf } from './run-reports.js'
import type { RunningMessages } from './running-messages.js'

export class InlineRunner implements Runner {
  readonly slots: number
  readonly checksResults = false
  readonly #running: RunningMessages
  readonly #broker: Broker
  #started = false

  constructor({ broker, concurrency, running }: { broker: Broker; concurrency: number; running: RunningMessages }) {
    this.slots = concurrency
    this.#broker = broker
    this.#running = running
  }

  /** The event loop it runs on takes the role of a thread. */
  async start(): Promise<void> {
    this.#started = true
    await this.#broker.chain.emit('afterThreadStart', this.#broker)
  }

  run(execution: Execution): void {
    let result: unknown
    try {
      result = execution.members
        ? this.#runBatch(execution, execution.members)
        : this.#runActor(execution, new RunningMessage(ownCopy(execution), undefined, execution.reporter))
    } catch (error) {
      return execution.fail(toError(error))
    }
    if (!(result instanceof Promise)) return succeed(execution, result)
    result.then(
      (value) => fulfill(execution, value),
      (error) => execution.fail(toError(error)),
    )
  }

  #runActor(execution: Execution, running: RunningMessage): unknown {
    execution.run = running
    return asPromise(runActor(execution.actor, running, this.#broker))
  }

  #runBatch(execution: Execution, members: readonly Execution[]): Promise<unknown> {
    const messages = members.map(ownCopy)
    const running = new RunningMessage(messages[0] as Message, messages, reporterOf(execution))
    execution.run = running
    const wanted = members.map((member) => member.wanted)
    return runBatch(execution.actor, running, this.#broker, wanted)
  }

  abort(execution: Execution, reason: Interrupt): void {
    ;(execution.run as RunningMessage | undefined)?.abort(reason)
  }

  kill(execution: Execution, reason: Interrupt): number {
    if (execution.actorEnded) return 0
    const { actorName, messageId } = execution.message
    getLogger().warn(
      { actorName, messageId },
      `"${actorName}" ignores its signal and can't be terminated without threads; it continues, and its slot is freed`,
    )
    execution.fail(reason)
    return 0
  }

  blockedTime(): number {
    return 0
  }

  async stop(): Promise<void> {
    for (const execution of this.#running.executions()) {
      if (execution.run) execution.fail(new GivenBack('the worker stopped before the actor ended'))
    }
    if (!this.#started) return
    this.#started = false
    try {
      await this.#broker.chain.emit('beforeThreadStop', this.#broker)
    } catch {
      // The chain has logged it; nothing keeps a worker from stopping.
    }
  }
}

/**
 * A retry must not see what an actor changed in its arguments or its context: the actor gets its own objects, as on a
 * thread.
 */
function ownCopy({ message, delivery }: Execution): Message {
  const { args, kwargs } = message
  if (!holdsObjects(message)) return message
  // Copying what JSON made is quicker than parsing it again.
  if (!(getEncoder() instanceof JSONEncoder)) return Message.decode(delivery.body)
  try {
    const { queueName, actorName, messageId, messageTimestamp } = message
    const { context } = message.options
    const options = isObject(context) ? { ...message.options, context: copyOf(context) } : message.options
    const own = { args: copyOf(args) as unknown[], kwargs: copyOf(kwargs) as Record<string, unknown>, options }
    return new Message({ queueName, actorName, messageId, messageTimestamp, ...own })
  } catch {
    // Nested deeper than the call stack allows.
    return Message.decode(delivery.body)
  }
}

function holdsObjects({ args, kwargs, options }: Message): boolean {
  for (const arg of args) if (isObject(arg)) return true
  for (const _ in kwargs) return true
  return isObject(options.context)
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** Copies a value that JSON made. */
function copyOf(value: unknown): unknown {
  if (!isObject(value)) return value
  if (Array.isArray(value)) {
    const list: unknown[] = []
    for (const inner of value) list.push(copyOf(inner))
    return list
  }
  const copy: Record<string, unknown> = {}
  for (const key in value) {
    const inner = copyOf((value as Record<string, unknown>)[key])
    if (key === '__proto__') Object.defineProperty(copy, key, { value: inner, enumerable: true, writable: true })
    else copy[key] = inner
  }
  return copy
}

/** The end of the actor's promise. */
function fulfill(execution: Execution, result: unknown): void {
  try {
    refuseGenerator(result, execution.actor.actorName)
  } catch (error) {
    return execution.fail(toError(error))
  }
  succeed(execution, result)
}

/** A result that no plugin needs isn't passed on, as on a thread. */
function succeed(execution: Execution, result: unknown): void {
  execution.succeed(execution.wanted === 'none' ? undefined : result)
}
