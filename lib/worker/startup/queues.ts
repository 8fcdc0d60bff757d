/** Which queues a worker consumes. */
import type { Broker } from '../../broker.js'
import { nearest } from '../../checks.js'
import { actorsElsewhere } from '../../declarations.js'
import { DramatisError, InvalidOption } from '../../errors.js'
import type { WorkerOptions } from '../worker-options.js'
import { noActors } from './load-hints.js'

/**
 * The queues that a worker consumes: those of its options, or of every declared actor.
 * @throws {DramatisError} if there are no actors. {InvalidOption} for a queue that no actor uses.
 */
export function readQueues(broker: Broker, { queues, modules }: WorkerOptions): string[] {
  const known = new Set([...broker.actors.values()].map((actor) => actor.queueName))
  if (known.size === 0) {
    const elsewhere = actorsElsewhere(broker)
    throw elsewhere ? new DramatisError(`No actors are declared on this broker. ${elsewhere}`) : noActors(modules)
  }
  if (!queues) return [...known]
  for (const name of queues) {
    if (known.has(name)) continue
    const near = nearest(name, known)
    const hint = near ? `, did you mean "${near}"?` : `. The queues of the actors here are: ${[...known].join(', ')}.`
    throw new InvalidOption(`No actor is declared on the queue "${name}"${hint}`, 'queues')
  }
  return [...new Set(queues)]
}
