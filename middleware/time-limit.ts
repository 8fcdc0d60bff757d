/**
 * Holds actors to a time limit. At the limit `current().signal` aborts with `TimeLimitExceeded`; an actor that ends
 * within the grace fails with that error. One that doesn't has its thread terminated and replaced, and its neighbours
 * on that thread go back to the queue. Without threads nothing can be terminated: the slot is freed, with a warning.
 *
 * What counts is the time an actor had: the time in which another one blocked their thread doesn't.
 */
import type { Broker } from '../lib/broker.js'
import type { Message } from '../lib/message.js'
import type { Middleware } from '../lib/middleware.js'
import { declareOptions, duration, effective, expected, nullable, refuseUnknown } from '../lib/options.js'
import type { Duration } from '../lib/time.js'
import { limitTime } from '../lib/worker/execution.js'

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

/** Reads a duration that isn't nothing: no actor could end in no time. */
function limit(value: unknown, name: string): number {
  const read = duration(value, name)
  if (read === 0) throw expected('a duration over 0, or null for no limit', value, name)
  return read
}

export interface TimeLimitOptions {
  /** For actors and messages that don't say. @default '10m' */
  timeLimit?: Duration | null | undefined
  /** How long an actor has to end after its signal was aborted, before its thread is terminated. @default '1s' */
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
