/**
 * Calls other actors when a message has finished: `onSuccess` with the message and its result, `onFailure` with the
 * message and `{ type, message }` of the error, after every failed attempt. The message is passed as an object of its
 * seven wire fields. The call is sent in the same step that settles the message.
 */
import type { ActorHandle } from '../lib/actor-contract.js'
import type { Broker } from '../lib/broker.js'
import { textOf } from '../lib/failure.js'
import type { Message } from '../lib/message.js'
import type { AnyActor, Middleware } from '../lib/middleware.js'
import { actorReference, declareOptions, effective } from '../lib/options.js'
import type { Outcome } from '../lib/outcome.js'

declare module '../lib/actor-options.js' {
  interface MessageOptions {
    /** The actor to call after a success. It must be declared in the worker that runs the message. */
    // biome-ignore lint/suspicious/noExplicitAny: an actor of any signature
    onSuccess?: ActorHandle<any, any> | string | undefined
    /** The actor to call after each failed attempt, not after a cancellation. It must be declared in the worker that runs the message. */
    // biome-ignore lint/suspicious/noExplicitAny: an actor of any signature
    onFailure?: ActorHandle<any, any> | string | undefined
  }
}

declareOptions({
  onSuccess: { wire: 'on_success', read: actorReference },
  onFailure: { wire: 'on_failure', read: actorReference },
})

export class Callbacks implements Middleware {
  readonly essential = true
  readonly onlyWithOptions = ['onSuccess', 'onFailure']

  wantsResult(message: Message, actor: AnyActor): boolean {
    return effective(message, actor, 'onSuccess', undefined) !== undefined
  }

  beforeSettleMessage(message: Message, outcome: Outcome, broker: Broker): void {
    // A message that only waits for a slot of a rate limiter hasn't failed, nor has one that was cancelled.
    if (outcome.postponed || outcome.decision === 'cancel') return
    const actor = broker.actors.get(message.actorName)
    const { error, result } = outcome
    if (error) {
      const target = effective<string | undefined>(message, actor, 'onFailure', undefined)
      if (target) {
        const failure = { type: error.name, message: textOf(error) }
        outcome.call(broker, target, 'onFailure', outcome.message.toWire(), failure)
      }
    } else if (outcome.decision === 'ack') {
      const target = effective<string | undefined>(message, actor, 'onSuccess', undefined)
      if (target) outcome.call(broker, target, 'onSuccess', outcome.message.toWire(), result ?? null)
    }
  }
}
