/**
 * Tells running actors that the worker shuts down: with `notifyShutdown`, `current().signal` aborts with `Shutdown` as
 * soon as the shutdown begins, rather than at its end. An actor that then throws goes back to the queue, no attempt
 * counted; one that returns is done. For long actors that can stop at a good point.
 */
import { Shutdown } from '../lib/errors.js'
import type { Middleware } from '../lib/middleware.js'
import { declareOptions, effective, flag, refuseUnknown } from '../lib/options.js'
import { interrupt } from '../lib/worker/execution.js'
import type { Worker } from '../lib/worker/worker.js'

declare module '../lib/actor-options.js' {
  interface MessageOptions {
    /**
     * Whether the actor is told at once when the worker shuts down.
     * @default false
     */
    notifyShutdown?: boolean | undefined
  }
}

declareOptions({ notifyShutdown: { wire: 'notify_shutdown', read: flag } })

export interface ShutdownNotificationsOptions {
  /** For actors and messages that don't say. @default false */
  notifyShutdown?: boolean | undefined
}

export class ShutdownNotifications implements Middleware {
  readonly #notifyShutdown: boolean

  constructor(options: ShutdownNotificationsOptions = {}) {
    refuseUnknown(options, ['notifyShutdown'], 'ShutdownNotifications')
    const { notifyShutdown = false } = options
    this.#notifyShutdown = flag(notifyShutdown, 'notifyShutdown')
  }

  beforeWorkerShutdown(worker: Worker): void {
    for (const message of worker.messages) {
      const actor = worker.broker.actors.get(message.actorName)
      if (effective(message, actor, 'notifyShutdown', this.#notifyShutdown)) interrupt(message, new Shutdown())
    }
  }
}
