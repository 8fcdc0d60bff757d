/**
 * Notifies running actors of a shutdown: with `notifyShutdown`, `current().signal` aborts with `Shutdown` as soon as
 * the shutdown begins, instead of at its end. If the actor then throws, its message is requeued with no attempt
 * counted; if it returns, it has succeeded. For long actors that can stop at a suitable point.
 */

import { refuseUnknown } from '../lib/checks.js'
import { Shutdown } from '../lib/errors.js'
import type { Middleware } from '../lib/middleware.js'
import { declareOptions, effective, flag } from '../lib/options.js'
import { interrupt } from '../lib/worker/interrupt.js'
import type { Worker } from '../lib/worker/worker.js'

declare module '../lib/actor-options.js' {
  interface MessageOptions {
    /**
     * Whether the actor is notified as soon as the worker shuts down.
     * @default false
     */
    notifyShutdown?: boolean | undefined
  }
}

declareOptions({ notifyShutdown: { wire: 'notify_shutdown', read: flag } })

export interface ShutdownNotificationsOptions {
  /** The default for actors and messages. @default false */
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
