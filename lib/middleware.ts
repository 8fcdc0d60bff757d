/**
 * The hook contract.
 *
 * A plugin is any object with the hooks it cares about; each may be sync or async. `before…` hooks are called in the
 * order in which the plugins were added, `after…` hooks in the reverse order. They are called on the main thread, but for
 * those that belong where the actor is (`aroundActor`, `afterThreadStart`, `beforeThreadStop`) and those of sending:
 * these are called where the message is sent, which may be a worker thread. A thread has the plugins that the modules it
 * imports give to their broker. What is sent there passes through the main thread's other plugins, too, over there.
 *
 * When a hook fails, that is logged with the plugin's name. A plugin that only watches can't hurt a message: its
 * failure goes no further. One that moves messages or keeps what the sender waits for says `essential = true`:
 * then its failure stops what was going on — a `send` rejects, a message isn't acknowledged but delivered again. Where
 * that is stored already (`afterEnqueue`, `afterAck`, `afterNack`, `afterSettleMessage`) nothing is left to be stopped.
 */
import type { Actor } from './actor.js'
import type { Broker } from './broker.js'
import type { SkipMessage } from './errors.js'
import type { Message } from './message.js'
import type { OptionSpec } from './options.js'
import type { Outcome } from './outcome.js'
import type { ResultBackend } from './results/backend.js'
import type { Settlement } from './settlement.js'
import type { Worker } from './worker/worker.js'

type Awaitable<T = void> = T | Promise<T>

/** An actor as hooks see it, whatever its types. */
// biome-ignore lint/suspicious/noExplicitAny: an actor of any signature
export type AnyActor = Actor<any[], any>

/** Why a message is given up. */
export interface Rejection {
  readonly reason: string
  /** What the actor or a check threw, where something was thrown. */
  readonly error?: Error | undefined
}

export interface Hooks {
  /** Surrounds the actor, the plugin added first outermost. Call `next` once and return what it returns. */
  aroundProcess(message: Message, next: () => Promise<unknown>, broker: Broker): Awaitable<unknown>
  /**
   * Surrounds the function itself, on its own thread and with `current()` there; the plugin added first outermost. Call
   * `next` once and return what it returns.
   */
  aroundActor(message: Message, next: () => Promise<unknown>, broker: Broker): Awaitable<unknown>

  /** Called before a message is acknowledged. */
  beforeAck(message: Message, broker: Broker): Awaitable
  /** Called after a message was acknowledged. */
  afterAck(message: Message, broker: Broker): Awaitable
  /** Called before a message is dead-lettered. */
  beforeNack(message: Message, rejection: Rejection, broker: Broker): Awaitable
  /** Called after a message was dead-lettered. */
  afterNack(message: Message, rejection: Rejection, broker: Broker): Awaitable

  /** Called before an actor is declared on the broker. */
  beforeDeclareActor(actor: AnyActor, broker: Broker): Awaitable
  /** Called after an actor was declared on the broker. */
  afterDeclareActor(actor: AnyActor, broker: Broker): Awaitable
  /** Called before a queue is declared. */
  beforeDeclareQueue(queueName: string, broker: Broker): Awaitable
  /** Called after a queue was declared. */
  afterDeclareQueue(queueName: string, broker: Broker): Awaitable
  /** Called after the place for a queue's delayed messages was declared. */
  afterDeclareDelayQueue(queueName: string, broker: Broker): Awaitable

  /** Called before a message is enqueued, retries included; `delay` in milliseconds. */
  beforeEnqueue(message: Message, delay: number | undefined, broker: Broker): Awaitable
  /** Called after a message was enqueued, retries included. */
  afterEnqueue(message: Message, delay: number | undefined, broker: Broker): Awaitable
  /** Called before a message is put aside until its delay is over. */
  beforeDelayMessage(message: Message, delay: number, broker: Broker): Awaitable

  /** Called before an actor runs; throw `SkipMessage` to leave the message undone. */
  beforeProcessMessage(message: Message, broker: Broker): Awaitable
  /** Called after an actor ran, with its result or error, which it may decide upon. */
  afterProcessMessage(message: Message, outcome: Outcome, broker: Broker): Awaitable
  /**
   * Called once what becomes of the message is decided, and before that is stored: for what depends on the decision, such
   * as a result or another message. It may `send`, but no longer decide.
   */
  beforeSettleMessage(message: Message, outcome: Outcome, broker: Broker): Awaitable
  /** Called in place of the two above when a message was skipped. */
  afterSkipMessage(message: Message, skip: SkipMessage, broker: Broker): Awaitable
  /** Called when a message was interrupted (a shutdown, a thread killed for its neighbour) and goes back, no attempt counted. */
  afterInterruptMessage(message: Message, broker: Broker): Awaitable
  /** Called once for each delivery, after every plugin decided and the broker stored what became of the message. */
  afterSettleMessage(message: Message, settlement: Settlement, broker: Broker): Awaitable

  /** Called once in a process, before its first worker starts. */
  afterProcessBoot(broker: Broker): Awaitable
  /** Called before a worker starts; an error here stops it when the plugin is essential. */
  beforeWorkerBoot(worker: Worker): Awaitable
  /** Called after a worker started. */
  afterWorkerBoot(worker: Worker): Awaitable
  /** Called before a worker stops: it still runs what it has in hand. */
  beforeWorkerShutdown(worker: Worker): Awaitable
  /** Called after a worker stopped. */
  afterWorkerShutdown(worker: Worker): Awaitable
  /** Called after the loop that consumes a queue was started (in Dramatiq this is a thread). */
  afterConsumerThreadBoot(queueName: string, worker: Worker): Awaitable
  /** Called before the loop that consumes a queue stops. */
  beforeConsumerThreadShutdown(queueName: string, worker: Worker): Awaitable
  /** Called on the main thread after a worker thread became ready, replacements included. */
  afterWorkerThreadBoot(threadId: number, worker: Worker): Awaitable
  /** Called on the main thread before a worker thread is stopped in good order. */
  beforeWorkerThreadShutdown(threadId: number, worker: Worker): Awaitable
  /** Called in a thread, once its modules are loaded and before it runs an actor; an error here stops it when the plugin is essential. */
  afterThreadStart(broker: Broker): Awaitable
  /** Called in a thread that stops in good order. */
  beforeThreadStop(broker: Broker): Awaitable

  /** Called when an actor makes a message; gives back the options it shall carry (wire names). Sync. */
  updateOptionsBeforeCreateMessage(
    options: Record<string, unknown>,
    actor: AnyActor,
    broker: Broker,
  ): Record<string, unknown>
}

/** A plugin: some of the hooks, and what it says about itself. */
export interface Middleware extends Partial<Hooks> {
  /** How it is called in the log. @default the name of its class */
  readonly name?: string | undefined
  /** Whether a failure of its hooks stops what was going on. @default false */
  readonly essential?: boolean | undefined
  /** The options it understands, made known to actors when it is added to a broker. */
  readonly actorOptions?: Readonly<Record<string, OptionSpec>> | undefined
  /** Where it keeps results, if it does. */
  readonly results?: ResultBackend | undefined
  /**
   * Whether it does something with the result of this message that needs it to be JSON: then one that isn't makes the
   * message fail. A plugin without this method is shown results as well as they can be carried from a thread.
   */
  wantsResult?(message: Message, actor: AnyActor): boolean
  /** How often a message may be delivered without ever being settled (workers that die with it) before it is given up. */
  maxDeliveries?(message: Message, actor: AnyActor): number
}

/** What is needed of a result: that it is JSON, that it is shown as far as possible, or nothing. */
export type WantedResult = 'json' | 'any' | 'none'

/** The class of a plugin, to name a place in the chain by. */
// biome-ignore lint/suspicious/noExplicitAny: constructors of any arguments
export type MiddlewareClass = abstract new (...args: any[]) => Middleware

export type HookName = keyof Hooks
