/** Pipelines: messages that run one after the other, each with the result of the one before as its last argument. */
import type { Broker } from '../broker.js'
import { checkSettings, expected, refuseUnknown, show } from '../checks.js'
import type { Duration } from '../duration.js'
import { InvalidOption } from '../errors.js'
import { Message, providePipe } from '../message.js'
import { parseDuration } from '../time.js'
import { uuid } from '../uuid.js'
import { brokerOf } from './composition-broker.js'
import { Group } from './group.js'
import { type PipelineUnit, Preparation, toUnit } from './prepare.js'
import { runStarted } from './running.js'
import type { Chained, Fitting, LastResultOf, Piped, ResultsOf, Step, StepsOf, TakesOf } from './step-types.js'

/**
 * Messages that run one after the other. A step that fails permanently ends the pipeline, and the results of the later
 * steps are failures.
 *
 * @typeParam Results What its steps return.
 * @typeParam Takes What its first step takes from a step before the pipeline.
 */
// biome-ignore lint/suspicious/noExplicitAny: whatever comes
export class Pipeline<Results extends readonly unknown[] = unknown[], Takes = any> implements Piped<Results, Takes> {
  declare readonly _results?: Results
  declare readonly _takes?: { readonly value: Takes }
  /** The id of this pipeline, by which it can be cancelled. */
  readonly id = uuid()
  /** Its steps: messages and groups. */
  readonly steps: readonly (Message | Group)[]
  readonly #broker: Broker | undefined

  constructor(steps: readonly Step[], options: { broker?: Broker | undefined } = {}) {
    if (!Array.isArray(steps)) throw expected('an array of messages, groups and pipelines', steps, 'steps')
    refuseUnknown(options, ['broker'], 'pipeline()')
    this.steps = steps.flatMap((step) => (step instanceof Pipeline ? step.steps : [checkStep(step)]))
    if (this.steps.length === 0) throw new InvalidOption('Expected a pipeline to have at least one step.', 'steps')
    this.#broker = options.broker
  }

  /** A pipeline with another step at its end. */
  pipe<N extends Step>(next: N & Fitting<N, LastResultOf<Results>>): Pipeline<[...Results, ...StepsOf<N>], Takes> {
    return new Pipeline([...this.steps, next], { broker: this.#broker })
  }

  /**
   * Stores the first step; resolves once it is stored. Each other one is sent in the step that acknowledges the one before.
   *
   * @param options.delay How long until the first step may run; its own delay, if that is longer.
   */
  async run(options: { delay?: Duration | undefined } = {}): Promise<this> {
    checkSettings(options, 'run()')
    refuseUnknown(options, ['delay'], 'run()')
    const delay = options.delay === undefined ? undefined : parseDuration(options.delay, 'delay')
    const broker = this.broker
    const preparation = new Preparation((message) => !broker.actors.has(message.actorName))
    await runStarted(preparation.start(this.unit()), broker, delay)
    return this
  }

  /**
   * As it is prepared.
   * @internal
   */
  unit(): PipelineUnit {
    return { kind: 'pipeline', id: this.id, steps: this.steps.map(toUnit) }
  }

  /** The broker it runs on. */
  get broker(): Broker {
    return brokerOf(this.steps, this.#broker)
  }

  /** All its messages, in order; those of a group beside each other. */
  get messages(): readonly Message[] {
    return this.steps.flatMap((step) => (step instanceof Message ? [step] : [...step.messages]))
  }

  /**
   * Waits for the result of the last step. Rejects as soon as a step has failed permanently.
   *
   * @param options.timeout How long to wait; 0 reads once. @default '10s'
   * @throws as `Message.result`.
   */
  async result(options: { timeout?: Duration | undefined } = {}): Promise<LastResultOf<Results>> {
    return (await (this.steps.at(-1) as Message).result(options)) as LastResultOf<Results>
  }

  /** The results of all steps in order, each as soon as it is there. The timeout is for each. */
  async *results(options: { timeout?: Duration | undefined } = {}): AsyncGenerator<Results[number], void> {
    for (const step of this.steps) yield (await step.result(options)) as Results[number]
  }
}

/**
 * Makes a pipeline: messages that run one after the other, each with the result of the one before as its last argument
 * (unless it has `pipeIgnore`). A step may have a `delay` of its own, and may be a group, whose results the next step
 * takes as an array.
 *
 * @example
 * const sum = pipeline([add.message(1, 2), add.message(3)])
 * await sum.run()
 * await sum.result() // 6
 */
export function pipeline<const S extends readonly Step[]>(
  steps: S & Chained<S>,
  options: { broker?: Broker | undefined } = {},
): Pipeline<ResultsOf<S>, TakesOf<S>> {
  return new Pipeline(steps, options)
}

function checkStep(step: unknown): Message | Group {
  if (step instanceof Message || step instanceof Group) return step
  throw new InvalidOption(
    `Expected each step to be a message, a group or a pipeline; got ${show(step)}. Make messages with actor.message(…).`,
    'steps',
  )
}

providePipe((message, next) => new Pipeline([message, next as Step]))
