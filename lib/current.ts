/** `current()`: the message being processed, for the code of an actor and the functions it calls. */
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'
import type { Broker } from './broker.js'
import { runInContext } from './context-values.js'
import { DramatisError } from './errors.js'
import { Message } from './message.js'
import type { AnyActor } from './middleware.js'
import { shared } from './registry.js'
import { refuseGenerator } from './runnable.js'
import { type Reporter, readLogLine, readProgress } from './status/report.js'
import type { ArgumentRules } from './validation/argument-rules.js'

/** What an actor can read of the message it is processing. */
export interface Current {
  /** The message; in a batch actor the first of the batch. */
  readonly message: Message
  /** The messages of a batch, in the order of its items; for other actors the message alone. */
  readonly messages: readonly Message[]
  /**
   * Aborts when the actor should stop: at its time limit (`TimeLimitExceeded`), when it is cancelled
   * (`CancelledError`) or when the worker shuts down (`Shutdown`); that error is the signal's `reason`. Pass it to `fetch` and to anything else that takes a signal.
   */
  readonly signal: AbortSignal
  /**
   * Reports how far the actor is, for `message.status()` and `message.progress()`. Call it as often as you like: at most
   * ten reports a second are stored, and always the last one. In a batch actor it is the progress of each message. It
   * does nothing unless the message is tracked (`trackStatus`).
   *
   * @param value From 0 to 1.
   * @param options.note A short text for people, 8 KB at most.
   * @throws {InvalidOption} for another value.
   */
  progress(value: number, options?: { note?: string | undefined }): void
  /**
   * Adds a line to the log of the message, which `message.logs()` reads: the newest 100 lines are kept, 64 KB at most,
   * each cut at 8 KB. It does nothing unless the message is tracked (`trackStatus`).
   *
   * @throws {InvalidOption} for anything but a text.
   */
  log(text: string): void
}

const storage = shared('current', () => new AsyncLocalStorage<RunningMessage>())

/**
 * The message being processed.
 * @throws {DramatisError} outside an actor.
 */
export function current(): Current {
  const found = storage.getStore()
  if (!found)
    throw new DramatisError('current() is only there while an actor runs; this code was called from elsewhere.')
  return found
}

/** The message being processed, or `undefined`; for code that may also run outside an actor. */
export function peekCurrent(): Current | undefined {
  return storage.getStore()
}

/**
 * The message whose actor is running: the parent of what is sent now. A batch has none, since its messages come from
 * different senders.
 */
export function parentMessage(): Message | undefined {
  const running = storage.getStore()
  return running?.batch ? undefined : running?.message
}

/** The object behind `current()`. Its signal is created on first use, since most actors don't use it. */
export class RunningMessage implements Current {
  #controller: AbortController | undefined
  #reason: unknown
  /** Where the actor was called, if its message has a context. */
  #calledIn: AsyncResource | undefined

  constructor(
    public message: Message,
    /** The messages of a batch, if it is one. */
    public batch?: readonly Message[],
    /** Receives what the actor reports, if somebody wants it. */
    private readonly reporter?: Reporter,
  ) {}

  get messages(): readonly Message[] {
    return this.batch ?? [this.message]
  }

  progress(value: number, options: { note?: string | undefined } = {}): void {
    const progress = readProgress(value, options)
    this.reporter?.onProgress(progress)
  }

  log(text: string): void {
    const line = readLogLine(text)
    this.reporter?.onLog(line)
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#reason !== undefined) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  abort(reason: unknown): void {
    this.#reason ??= reason
    // Listeners are the actor's code: `current()` works in them, and what they throw is attributed to this message.
    if (!this.#controller) return
    const abort = (): void => this.#controller?.abort(reason)
    if (this.#calledIn) this.#calledIn.runInAsyncScope(abort)
    else storage.run(this, abort)
  }

  /** Called within the context of the message: listeners of the signal are called within it as well. */
  keepContext(): void {
    this.#calledIn = new AsyncResource('dramatis.actor')
  }
}

/** An actor, as far as it is needed to run it. */
export interface RunnableActor {
  readonly fn: (...args: never[]) => unknown
  readonly argumentRules?: ArgumentRules | undefined
}

/**
 * Runs an actor's function with the arguments of a message, with `current()` set and within the context of the message.
 * @param broker The broker whose plugins surround it.
 */
export function runActor(actor: RunnableActor, running: RunningMessage, broker: Broker | undefined): unknown {
  const { message, batch } = running
  // The first message of a batch doesn't speak for the others.
  if (batch || message.option('context') === undefined)
    return storage.run(running, runSurrounded, actor, message, broker)
  return storage.run(running, runInContext, message, () => {
    running.keepContext()
    return runSurrounded(actor, message, broker)
  })
}

/**
 * Calls an actor's function for code that calls the actor directly, in a test for example. Within another actor
 * `current()` stays the one of that actor; elsewhere it has a message made of the arguments, whose signal never aborts.
 */
export function callDirectly(
  // biome-ignore lint/suspicious/noExplicitAny: any function
  fn: (...args: any[]) => unknown,
  self: unknown,
  args: readonly unknown[],
  { actorName, queueName, batch }: Pick<AnyActor, 'actorName' | 'queueName' | 'batch'>,
): unknown {
  if (storage.getStore()) return fn.apply(self, [...args])
  const message = (args: readonly unknown[]): Message => new Message({ actorName, queueName, args })
  const [items] = args
  const messages = batch && Array.isArray(items) ? items.map((item: unknown) => message([item])) : undefined
  const running = new RunningMessage(messages?.[0] ?? message(args), messages)
  return storage.run(running, () => fn.apply(self, [...args]))
}

/** Runs it within the plugins that surround actors. */
function runSurrounded(actor: RunnableActor, message: Message, broker: Broker | undefined): unknown {
  if (!broker?.chain.surroundsActors) return invoke(actor, message)
  return broker.chain.aroundActor(message, async () => invoke(actor, message), broker)
}

function invoke(actor: RunnableActor, message: Message): unknown {
  const result = actor.argumentRules ? callByRules(actor, actor.argumentRules, message) : call(actor.fn, message)
  refuseGenerator(result, message.actorName)
  return result
}

function call(fn: RunnableActor['fn'], { args, kwargs }: Message): unknown {
  for (const _ in kwargs) return fn(...(args as never[]), kwargs as never)
  return fn(...(args as never[]))
}

function callByRules({ fn }: RunnableActor, rules: ArgumentRules, message: Message): unknown {
  const args = rules.read(message)
  return args instanceof Promise ? args.then((list) => fn(...(list as never[]))) : fn(...(args as never[]))
}

/**
 * What an actor returned: a value, or a promise of one. A thenable is awaited as `await` does: it settles once, and its
 * own result is awaited as well.
 */
export function asPromise(result: unknown): unknown {
  if (result instanceof Promise || typeof (result as PromiseLike<unknown> | null | undefined)?.then !== 'function')
    return result
  return Promise.resolve(result)
}
