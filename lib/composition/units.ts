/** Pipelines and groups as they are prepared: with an id for each. */
import { Message } from '../message.js'
import type { GroupUnit, PipelineUnit, Unit } from './prepare.js'

/** A pipeline or a group, as far as this needs it. */
interface Composed {
  readonly id: string
  readonly steps?: readonly unknown[]
  unit?(): GroupUnit
}

/** The unit of a message, a group or a pipeline. */
export function toUnit(member: unknown): Unit {
  if (member instanceof Message) return member
  const composed = member as Composed
  if (composed.unit) return composed.unit()
  const { id, steps = [] } = composed
  return { kind: 'pipeline', id, steps: steps.map(toUnit) } satisfies PipelineUnit
}
