/** The entry point: every public name, grouped, and the default broker from its URL. */
import { MemoryBroker } from '../brokers/memory/index.js'
import { RedisBroker } from '../brokers/redis/index.js'
import { SQLiteBroker } from '../brokers/sqlite/index.js'
import type { Broker } from './broker.js'
import { provideDefaultBroker } from './default-broker.js'
import { InvalidOption } from './errors.js'
import { serveBundledThread } from './worker/threads/thread.js'

// — Declaring and sending ————————————————————————————————————————————————————————————————————————————————

export { actor, remoteActor } from './actor.js'
export type { Actor, ActorHandle, BatchActor, BatchSettings, SendArguments, SendOptions } from './actor-contract.js'
// Exported with a star, so that `declare module 'dramatis'` can extend the interfaces.
export * from './actor-options.js'
export { type BatchActorOptions, type BatchRunnable, batchActor } from './batch-actor.js'
export type { CancelAnswer, CancelOptions } from './cancellation/answer.js'
export type { CancelledMany } from './cancellation/cancel-many.js'
export { type Composition, compositionOf } from './composition/composition-of.js'
export { Group, type GroupEnd, type GroupOptions, group } from './composition/group.js'
export type { OnChildFailure } from './composition/group-record.js'
export { Pipeline, pipeline } from './composition/pipeline.js'
export type { Piped, Step } from './composition/step-types.js'
export { type ContextValue, contextValue } from './context-values.js'
export type { Duration } from './duration.js'
export { type Body, type Encoder, getEncoder, JSONEncoder, setEncoder, type WireMessage } from './encoder.js'
export { Message } from './message.js'
export type { MessageFields } from './message-fields.js'
export type { Runnable } from './runnable.js'
export type { LogLine, Progress } from './status/report.js'
export type { MessageState, MessageStatus } from './status/status.js'
export type { WatchOptions } from './status/watch-options.js'
export type { OnDuplicate, UniqueOptions, UniqueUntil } from './unique/option.js'
export type { ArgumentSchema, InputsOf, OutputsOf } from './validation/argument-types.js'
export type { StandardSchemaV1 } from './validation/standard-schema.js'

// — Brokers ——————————————————————————————————————————————————————————————————————————————————————————————

export { Broker, type BrokerOptions } from './broker.js'
export type {
  Consumer,
  DeadLetter,
  DeadLetterPage,
  DeadLetterReason,
  Delivery,
  QueueSearch,
  QueueStats,
  ScannedMessage,
} from './consumer.js'
export { getBroker, setBroker } from './default-broker.js'
export type { RateLimitBackend } from './rate-limits/backend.js'
export { ResultBackend, type ResultBackendOptions, type StoredFailure, type StoredResult } from './results/backend.js'
export type { StateBackend, StatePage, StatePageOptions, StateWatchOptions } from './state/backend.js'
export type { AddChange, CountChange, Refusal, RemoveChange, SetChange, StateChange } from './state/changes.js'
export type { ConditionalEntry, SettlementPart, SettlementStep, StoragePart } from './state/steps.js'
export type { Deduplicated, Survivor } from './state/survivor.js'
export { type Clock, systemClock } from './time.js'

// — Workers ——————————————————————————————————————————————————————————————————————————————————————————————

export { type Current, current } from './current.js'
export { interrupt } from './worker/interrupt.js'
export { runWorker } from './worker/run-worker.js'
export { Worker } from './worker/worker.js'
export type { WorkerOptions } from './worker/worker-options.js'
export type { WorkerContract } from './worker-contract.js'

// — Middleware ———————————————————————————————————————————————————————————————————————————————————————————

export { AgeLimit } from '../middleware/age-limit.js'
export { Callbacks } from '../middleware/callbacks.js'
export { Cancellation } from '../middleware/cancellation.js'
export { defaultMiddleware } from '../middleware/defaults.js'
export { GroupCallbacks } from '../middleware/group-callbacks.js'
export { Pipelines } from '../middleware/pipelines.js'
export { Results } from '../middleware/results.js'
export { Retries } from '../middleware/retries.js'
export { ShutdownNotifications } from '../middleware/shutdown-notifications.js'
export { Status } from '../middleware/status.js'
export { TimeLimit } from '../middleware/time-limit.js'
export { Unique } from '../middleware/unique.js'
export type {
  AnyActor,
  Hooks,
  Middleware,
  MiddlewareClass,
  Rejection,
  WantedResult,
} from './middleware.js'
export type { MessageContent, OptionSpec } from './options.js'
export { type Decision, type Entry, Outcome } from './outcome.js'
export type { PendingSettlement, Settlement } from './settlement.js'

// — Errors and the log ———————————————————————————————————————————————————————————————————————————————————

export * from './errors.js'
export { getLogger, type Logger, setLogger } from './logger.js'

/** The broker that `DRAMATIS_URL` names; without one, the SQLite file `./dramatis.db`. */
provideDefaultBroker((): Broker => {
  const url = process.env.DRAMATIS_URL || 'sqlite:dramatis.db'
  const scheme = url.slice(0, url.indexOf(':'))
  switch (scheme) {
    case 'memory':
      return new MemoryBroker()
    case 'sqlite':
      return new SQLiteBroker({ path: url.slice('sqlite:'.length).replace(/^\/\/(?=.)/, '') })
    case 'redis':
    case 'rediss':
      return new RedisBroker({ url })
    default:
      throw new InvalidOption(
        `Expected DRAMATIS_URL to begin with sqlite:, memory:, redis: or rediss:; got ${JSON.stringify(url)}.`,
        'DRAMATIS_URL',
      )
  }
})

serveBundledThread()
