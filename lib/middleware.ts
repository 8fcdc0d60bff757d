/**
 * The hook contract.
 *
 * A plugin is an object with any of the hooks; each may be sync or async. `before…` hooks are called in the order in
 * which the plugins were added, `after…` hooks in reverse. Hooks are called on the main thread, with two exceptions.
 * `aroundActor`, `afterThreadStart` and `beforeThreadStop` are called on the thread of the actor. Hooks of sending are
 * called where the message is sent, which may be a worker thread. A thread has the plugins that its modules add to
 * their broker; what it sends also passes the other plugins of the main thread, there.
 *
 * The failure of a hook is logged with the plugin's name. By default it affects nothing else. A plugin that moves
 * messages or stores what the sender waits for sets `essential = true`: then its failure stops the operation. A `send`
 * rejects; a message isn't acknowledged but redelivered. After an operation is stored (`afterEnqueue`, `afterAck`,
 * `afterNack`, `afterMessageCancelled`, `afterSettleMessage`) nothing can be stopped.
 */
import type { Actor } from './actor-contract.js'
import type { Broker } from './broker.js'
import type { CancelledError, SkipMessage } from './errors.js'
import type { Message } from './message.js'
import type { OptionSpec } from './options.js'
import type { Outcome } from './outcome.js'
import type { ResultBackend } from './results/backend.js'
import type { PendingSettlement, Settlement } from './settlement.js'
import type { SettlementStep, StoragePart } from './state/steps.js'
import type { WorkerContract } from './worker-contract.js'

type Awaitable<T = void> = T | Promise<T>

/** An actor of any signature, as hooks receive it. */
// biome-ignore lint/suspicious/noExplicitAny: an actor of any signature
export type AnyActor = Actor<any[], any>

/** Why a message is dead-lettered. */
export interface Rejection {
  readonly reason: string
  /** The error that the actor or a check threw, if any. */
  readonly error?: Error | undefined
}

export interface Hooks {
  /** Surrounds the actor; the plugin added first is outermost. Call `next` once and return its result. */
  aroundProcess(message: Message, next: () => Promise<unknown>, broker: Broker): Awaitable<unknown>
  /**
   * Surrounds the function itself, on its own thread and with `current()`; the plugin added first is outermost. Call
   * `next` once and return its result.
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
  /** Called after the place for the delayed messages of a queue was declared. */
  afterDeclareDelayQueue(queueName: string, broker: Broker): Awaitable

  /** Called before a message is enqueued, retries included; `delay` in milliseconds. */
  beforeEnqueue(message: Message, delay: number | undefined, broker: Broker): Awaitable
  /** Called after a message was enqueued, retries included. */
  afterEnqueue(message: Message, delay: number | undefined, broker: Broker): Awaitable
  /** Called before a message is stored with a delay. */
  beforeDelayMessage(message: Message, delay: number, broker: Broker): Awaitable

  /**
   * Called after those, for what the broker does in the step that stores the message: changes of its state, on
   * conditions. Sync.
   */
  beforeStoreMessage(message: Message, delay: number | undefined, broker: Broker): StoragePart | undefined

  /** Called before an actor runs; throw `SkipMessage` to skip the message. */
  beforeProcessMessage(message: Message, broker: Broker): Awaitable
  /** Called after an actor ran, with its result or error. It may decide what becomes of the message. */
  afterProcessMessage(message: Message, outcome: Outcome, broker: Broker): Awaitable
  /**
   * Called once the decision about a message is final, and before it is stored; for anything that depends on the
   * decision, such as a result or another message. It may `send`, but no longer decide.
   */
  beforeSettleMessage(message: Message, outcome: Outcome, broker: Broker): Awaitable
  /**
   * Called after that (or after `afterSkipMessage`) before a message is acknowledged, retried or dead-lettered, for what
   * the broker does in that step: changes of its state, on conditions, and messages. Also for a message that is flushed. A plugin limits it to some messages
   * by `joinsSettlement`.
   */
  beforeStoreSettlement(message: Message, pending: PendingSettlement, step: SettlementStep, broker: Broker): Awaitable
  /** Called instead of `afterProcessMessage` and `beforeSettleMessage` if a message was skipped. */
  afterSkipMessage(message: Message, skip: SkipMessage, broker: Broker): Awaitable
  /** Called after a message was cancelled, once that is stored. */
  afterMessageCancelled(message: Message, error: CancelledError, broker: Broker): Awaitable
  /**
   * Called when a message was interrupted (a shutdown, a thread terminated for another message) and is requeued, with
   * no attempt counted.
   */
  afterInterruptMessage(message: Message, broker: Broker): Awaitable
  /** Called once for each delivery, after every plugin has decided and the broker has stored the settlement. */
  afterSettleMessage(message: Message, settlement: Settlement, broker: Broker): Awaitable

  /** Called once in a process, before its first worker starts. */
  afterProcessBoot(broker: Broker): Awaitable
  /** Called before a worker starts. An error stops the start if the plugin is essential. */
  beforeWorkerBoot(worker: WorkerContract): Awaitable
  /** Called after a worker started. */
  afterWorkerBoot(worker: WorkerContract): Awaitable
  /** Called before a worker stops; messages are still running. */
  beforeWorkerShutdown(worker: WorkerContract): Awaitable
  /** Called after a worker stopped. */
  afterWorkerShutdown(worker: WorkerContract): Awaitable
  /** Called after the consumer loop of a queue was started (in Dramatiq this is a thread). */
  afterConsumerThreadBoot(queueName: string, worker: WorkerContract): Awaitable
  /** Called before the consumer loop of a queue stops. */
  beforeConsumerThreadShutdown(queueName: string, worker: WorkerContract): Awaitable
  /** Called on the main thread after a worker thread became ready, replacements included. */
  afterWorkerThreadBoot(threadId: number, worker: WorkerContract): Awaitable
  /** Called on the main thread before a worker thread is stopped gracefully. */
  beforeWorkerThreadShutdown(threadId: number, worker: WorkerContract): Awaitable
  /**
   * Called in a thread once its modules are loaded, before it runs an actor. An error stops the start if the plugin is
   * essential.
   */
  afterThreadStart(broker: Broker): Awaitable
  /** Called in a thread that stops gracefully. */
  beforeThreadStop(broker: Broker): Awaitable

  /** Called when an actor creates a message; returns the options of the message (wire names). Sync. */
  updateOptionsBeforeCreateMessage(
    options: Record<string, unknown>,
    actor: AnyActor,
    broker: Broker,
  ): Record<string, unknown>
}

/** A plugin: any of the hooks, and its properties. */
export interface Middleware extends Partial<Hooks> {
  /** Its name in the log. @default the name of its class */
  readonly name?: string | undefined
  /** Whether a failure of its hooks stops the operation. @default false */
  readonly essential?: boolean | undefined
  /** The options it handles; actors may use them once it is added to a broker. */
  readonly actorOptions?: Readonly<Record<string, OptionSpec>> | undefined
  /**
   * The options without which it has nothing to do for a message, by their names in `actorOptions`, or on the wire if they
   * aren't declared. For a message that has none of them, and whose actor has none, these hooks aren't called:
   * `beforeStoreMessage` (which goes by the message alone), `beforeProcessMessage`, `aroundProcess`,
   * `afterProcessMessage`, `beforeSettleMessage` and `beforeStoreSettlement`. @default they are called for every message
   */
  readonly onlyWithOptions?: readonly string[] | undefined
  /** The results backend, if it stores results. */
  readonly results?: ResultBackend | undefined
  /**
   * Whether it does something with the result of this message that needs it to be JSON: then one that isn't makes the
   * message fail. A plugin without this method is shown results as well as they can be carried from a thread.
   */
  wantsResult?(message: Message, actor: AnyActor): boolean
  /** Whether `beforeStoreSettlement` does something for this message. @default for every message */
  joinsSettlement?(message: Message, actor: AnyActor | undefined): boolean
  /** How often a message may be delivered without being settled (its workers are lost) before it is dead-lettered. */
  maxDeliveries?(message: Message, actor: AnyActor): number
}

/** What plugins need of a result: JSON, anything that can be sent, or nothing. */
export type WantedResult = 'json' | 'any' | 'none'

/** The class of a plugin, which names a position in the chain. */
// biome-ignore lint/suspicious/noExplicitAny: constructors of any arguments
export type MiddlewareClass = abstract new (...args: any[]) => Middleware

export type { HookName } from './hook-names.js'
