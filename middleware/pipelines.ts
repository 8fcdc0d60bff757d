/**
 * Sends the next step of a pipeline: a message whose options hold a `pipe_target` passes its result on as the last
 * argument of that message, in the same step that acknowledges it. A failure for good ends the pipeline.
 */
import type { Broker } from '../lib/broker.js'
import { DecodeError } from '../lib/errors.js'
import { Message } from '../lib/message.js'
import type { Middleware } from '../lib/middleware.js'
import { declareOptions, flag } from '../lib/options.js'
import type { Outcome } from '../lib/outcome.js'

declare module '../lib/actor-options.js' {
  interface MessageOptions {
    /**
     * On a step of a pipeline: it doesn't take the result of the step before it. On an actor: its result isn't passed on.
     * @default false
     */
    pipeIgnore?: boolean
  }
}

declareOptions({ pipeIgnore: { wire: 'pipe_ignore', read: flag } })

export class Pipelines implements Middleware {
  readonly essential = true

  wantsResult(message: Message): boolean {
    return message.options.pipe_target !== undefined
  }

  afterProcessMessage(message: Message, outcome: Outcome, broker: Broker): void {
    const { pipe_target: target } = message.options
    if (outcome.error || target === undefined || target === null) return
    let next: Message
    try {
      next = Message.fromWire(target)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      return outcome.deadLetter(`The next step of the pipeline is no message: ${error.message}`)
    }
    const ignore = next.options.pipe_ignore || broker.actors.get(message.actorName)?.options.pipeIgnore
    const { delay } = next.options
    const step = ignore ? next : next.with({ args: [...next.args, outcome.result ?? null] })
    outcome.send(step, typeof delay === 'number' ? delay : undefined)
  }
}
