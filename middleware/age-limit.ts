/**
 * Dead-letters messages that waited too long to be useful: those older than `maxAge` when they would start. For
 * messages that are worthless when late (a one-time code), not for those that are merely urgent.
 */
import type { Broker } from '../lib/broker.js'
import { refuseUnknown } from '../lib/checks.js'
import type { Duration } from '../lib/duration.js'
import { SkipMessage } from '../lib/errors.js'
import { getLogger } from '../lib/logger.js'
import type { Message } from '../lib/message.js'
import type { Middleware } from '../lib/middleware.js'
import { declareOptions, duration, effective, nullable } from '../lib/options.js'

declare module '../lib/actor-options.js' {
  interface MessageOptions {
    /**
     * The maximum age of a message when it starts, counted from its first sending; `null` or 0 for no limit.
     * @default null
     */
    maxAge?: Duration | null | undefined
  }
}

declareOptions({ maxAge: { wire: 'max_age', read: nullable(duration) } })

export interface AgeLimitOptions {
  /** The default for actors and messages. @default null */
  maxAge?: Duration | null | undefined
}

export class AgeLimit implements Middleware {
  readonly essential = true
  readonly onlyWithOptions: readonly string[] | undefined
  readonly #maxAge: number | null

  constructor(options: AgeLimitOptions = {}) {
    refuseUnknown(options, ['maxAge'], 'AgeLimit')
    const { maxAge = null } = options
    this.#maxAge = nullable(duration)(maxAge, 'maxAge')
    this.onlyWithOptions = this.#maxAge === null ? ['maxAge'] : undefined
  }

  beforeProcessMessage(message: Message, broker: Broker): void {
    const maxAge = effective(message, broker.actors.get(message.actorName), 'maxAge', this.#maxAge)
    if (!maxAge || broker.clock.now() - message.messageTimestamp < maxAge) return
    const { messageId, actorName } = message
    getLogger().warn({ messageId, actorName, maxAge }, 'Message exceeded its age limit')
    throw new SkipMessage('Message age limit exceeded', { fail: true })
  }
}
