import type { Broker } from './broker.js'
import type { Duration } from './duration.js'
import type { Message } from './message.js'

/** A worker as hooks receive it: the public members of `Worker`, which implements it. */
export interface WorkerContract {
  readonly broker: Broker
  readonly threads: number
  readonly concurrency: number
  /** How long running messages may take to finish when the worker stops, in milliseconds. */
  readonly shutdownTimeout: number
  /** The messages whose actors are running. */
  readonly messages: Iterable<Message>
  /** The queues it consumes, once it has started. */
  readonly queues: readonly string[]
  /** Called when the worker can't continue: a lost thread can't be replaced, or the broker can't be used. */
  onFatal: (error: Error) => void
  /** See `Worker.start`. */
  start(): Promise<void>
  /** See `Worker.stop`. */
  stop(options?: { timeout?: Duration | undefined }): Promise<void>
  /** See `Worker.join`. */
  join(options?: { timeout?: Duration | undefined }): Promise<void>
}
