/**
 * `current()`: the message in hand, for the code of an actor and whatever it calls.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Broker } from './broker.js'
import { DramatisError } from './errors.js'
import { Message } from './message.js'
import { shared } from './registry.js'
import { refuseGenerator } from './runnable.js'

/** What an actor can know of the message it is running for. */
export interface Current {
  readonly message: Message
  /**
   * Aborts when the actor shall stop: at its time limit (`TimeLimitExceeded`) or when the worker shuts down
   * (`Shutdown`); the error is the signal's `reason`. Give it to `fetch` and to whatever else takes a signal.
   */
  readonly signal: AbortSignal
}

const storage = shared('current', () => new AsyncLocalStorage<Current>())

/**
 * The message in hand.
 * @throws {DramatisError} outside an actor.
 */
export function current(): Current {
  const found = storage.getStore()
  if (!found)
    throw new DramatisError('current() is only there while an actor runs; this code was called from elsewhere.')
  return found
}

/** The message in hand, or `undefined`; for code that is called from anywhere. */
export function peekCurrent(): Current | undefined {
  return storage.getStore()
}

/** What stands behind `current()`; its signal is made when it is first asked for, since most actors never do. */
export class RunningMessage implements Current {
  #controller: AbortController | undefined
  #reason: unknown

  constructor(readonly message: Message) {}

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#reason !== undefined) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  abort(reason: unknown): void {
    this.#reason ??= reason
    // Those who listen are the actor's: `current()` is there for them, and what they throw is told to be this message's.
    if (this.#controller) storage.run(this, () => this.#controller?.abort(reason))
  }
}

/**
 * Runs an actor's function on the arguments of a message, with `current()` set.
 * @param broker Whose plugins surround it.
 */
export function runActor(
  fn: (...args: never[]) => unknown,
  running: RunningMessage,
  broker: Broker | undefined,
): unknown {
  if (broker?.chain.surroundsActors) return storage.run(running, surround, fn, running.message, broker)
  return storage.run(running, invoke, fn, running.message)
}

/**
 * Calls an actor's function as whoever calls the actor itself does, in a test for instance. Within another actor the message
 * in hand stays that one's; elsewhere `current()` shows a message made of the arguments, whose signal never aborts.
 */
export function callDirectly(
  // biome-ignore lint/suspicious/noExplicitAny: any function
  fn: (...args: any[]) => unknown,
  self: unknown,
  args: readonly unknown[],
  actorName: string,
  queueName: string,
): unknown {
  if (storage.getStore()) return fn.apply(self, [...args])
  const running = new RunningMessage(new Message({ actorName, queueName, args }))
  return storage.run(running, () => fn.apply(self, [...args]))
}

function surround(fn: (...args: never[]) => unknown, message: Message, broker: Broker): Promise<unknown> {
  return broker.chain.aroundActor(message, async () => invoke(fn, message), broker)
}

function invoke(fn: (...args: never[]) => unknown, message: Message): unknown {
  const result = call(fn, message)
  refuseGenerator(result, message.actorName)
  return result
}

function call(fn: (...args: never[]) => unknown, { args, kwargs }: Message): unknown {
  for (const _ in kwargs) return fn(...(args as never[]), kwargs as never)
  return fn(...(args as never[]))
}

/**
 * What an actor gave back: a value, or a promise of one. Anything with a `then` is waited for as `await` does it, which
 * never settles it twice and waits for what comes out of it, too.
 */
export function asPromise(result: unknown): unknown {
  if (result instanceof Promise || typeof (result as PromiseLike<unknown> | null | undefined)?.then !== 'function')
    return result
  return Promise.resolve(result)
}
