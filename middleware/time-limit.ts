/**
 * Enforces the time limit of actors. At the limit `current().signal` aborts with `TimeLimitExceeded`; an actor that
 * finishes within the grace fails with that error. Otherwise its thread is terminated and replaced, and the other
 * messages on that thread are requeued. Without threads nothing can be terminated: the slot is freed, with a warning.
 *
 * The limit counts the time an actor had: time in which another actor blocked their thread doesn't count.
 */
import type { Broker } from '../lib/broker.js'
import { expected, refuseUnknown } from '../lib/checks.js'
import type { Duration } from '../lib/duration.js'
import type { Message } from '../lib/message.js'
import type { Middleware } from '../lib/middleware.js'
import { declareOptions, duration, effective, nullable } from '../lib/options.js'
import { limitTime } from '../lib/worker/interrupt.js'

declare module '../lib/actor-options.js' {
  interface MessageOptions {
    /**
     * How long an actor may run; `null` for no limit.
     * @default '10m'
     */
    timeLimit?: Duration | null | undefined
  }
}

declareOptions({ timeLimit: { wire: 'time_limit', read: nullable(limit) } })

/** Reads a duration over 0: no actor could finish in no time. */
function limit(value: unknown, name: string): number {
  const read = duration(value, name)
  if (read === 0) throw expected('a duration over 0, or null for no limit', value, name)
  return read
}

export interface TimeLimitOptions {
  /** The default for actors and messages. @default '10m' */
  timeLimit?: Duration | null | undefined
  /** How long an actor has to finish after its signal was aborted, before its thread is terminated. @default '1s' */
  grace?: Duration | undefined
}

export class TimeLimit implements Middleware {
  readonly essential = true
  readonly #timeLimit: number | null
  readonly #grace: number

  constructor(options: TimeLimitOptions = {}) {
    refuseUnknown(options, ['timeLimit', 'grace'], 'TimeLimit')
    const { timeLimit = '10m', grace = '1s' } = options
    this.#timeLimit = nullable(limit)(timeLimit, 'timeLimit')
    this.#grace = duration(grace, 'grace')
  }

  beforeProcessMessage(message: Message, broker: Broker): void {
    const actor = broker.actors.get(message.actorName)
    const allowed = effective(message, actor, 'timeLimit', this.#timeLimit)
    if (allowed !== null) limitTime(message, { limit: allowed, grace: this.#grace })
  }
}
