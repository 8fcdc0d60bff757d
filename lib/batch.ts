/**
 * A batch: messages of one actor that run in one call of its function. The function gets an item for each message; from
 * what it returns or throws, each message gets an end of its own.
 */
import type { Broker } from './broker.js'
import { show } from './checks.js'
import { type RunningMessage, runActor } from './current.js'
import { BatchError, DramatisError, NotSerializable } from './errors.js'
import { toError } from './failure.js'
import type { Message } from './message.js'
import type { AnyActor, WantedResult } from './middleware.js'
import { refuseGenerator } from './runnable.js'

/** How a message of a batch ended: its result, or else an error. */
export type BatchEnd = readonly [result: unknown, error?: Error]

/**
 * Runs a batch with `current()` set.
 *
 * @param wanted What is needed of the result of each message.
 * @returns The ends of the messages; rejects if all of them failed.
 */
export async function runBatch(
  actor: AnyActor,
  running: RunningMessage,
  broker: Broker | undefined,
  wanted: readonly WantedResult[],
): Promise<BatchEnd[]> {
  const items = running.messages.map(itemOf)
  try {
    const returned: unknown = await runActor({ fn: () => actor.fn(items) }, running, broker)
    refuseGenerator(returned, actor.actorName)
    return wanted.map((one, index) => resultOf(returned, index, one, running))
  } catch (error) {
    if (error instanceof BatchError) return endsOf(error, wanted.length)
    throw error
  }
}

/** The item of a message: the first argument that a function would get. */
function itemOf({ args, kwargs }: Message): unknown {
  return args.length === 0 && Object.keys(kwargs).length > 0 ? kwargs : args[0]
}

function resultOf(
  returned: unknown,
  index: number,
  wanted: WantedResult,
  { messages, message }: RunningMessage,
): BatchEnd {
  if (Array.isArray(returned) && returned.length === messages.length) return [returned[index]]
  if (returned === undefined || wanted !== 'json') return [undefined]
  const what = `an array of ${messages.length} results, one for each item and in their order, or nothing`
  const text = `Expected the batch actor "${message.actorName}" to return ${what}; got ${show(returned)}.`
  return [undefined, new NotSerializable(text, 'result')]
}

function endsOf({ errors, results }: BatchError, count: number): BatchEnd[] {
  for (const index of errors.keys()) {
    if (index < count) continue
    throw new DramatisError(
      `A BatchError names the item ${index}, but the batch has ${count}, counted from 0: all of them count as failed.`,
      { cause: errors.get(index) },
    )
  }
  return Array.from({ length: count }, (_, index) =>
    errors.has(index) ? [undefined, toError(errors.get(index))] : [results?.[index]],
  )
}
