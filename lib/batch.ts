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
 * Runs a batch with `current()` set. Messages whose arguments are refused fail, and the others run without them.
 *
 * @param wanted What is needed of the result of each message.
 * @returns The ends of the messages; rejects if all of them failed.
 */
export async function runBatch(
  actor: AnyActor,
  running: RunningMessage,
  broker: Broker | undefined,
  wanted: readonly WantedResult[],
): Promise<readonly BatchEnd[]> {
  const { messages } = running
  const read = messages.map((message) => readItem(actor, message))
  // Without a promise the function is called at once, so that it is known which message blocks its thread.
  const inputs = read.some((one) => one instanceof Promise) ? await Promise.all(read) : (read as BatchInput[])
  const ends: BatchEnd[] = [...inputs]
  const accepted = [...messages.keys()].filter((index) => !inputs[index]?.[1])
  if (accepted.length === 0) return ends
  running.batch = accepted.map((index) => messages[index] as Message)
  running.message = running.batch[0] as Message
  const items = accepted.map((index) => inputs[index]?.[0])
  const needed = accepted.map((index) => wanted[index] === 'json')
  const acceptedEnds = await runItems(actor, items, running, broker, needed).catch((error): BatchEnd[] => {
    if (accepted.length === messages.length) throw error
    return items.map(() => [undefined, toError(error)])
  })
  for (const [at, index] of accepted.entries()) ends[index] = acceptedEnds[at] as BatchEnd
  return ends
}

/** The item of a message, or why its arguments are refused. */
type BatchInput = readonly [item: unknown, refusal?: Error]

function readItem({ argumentRules }: AnyActor, message: Message): BatchInput | Promise<BatchInput> {
  if (!argumentRules) return [itemOf(message)]
  const refuse = (error: unknown): BatchInput => [undefined, toError(error)]
  try {
    const args = argumentRules.read(message)
    return args instanceof Promise ? args.then(([item]): BatchInput => [item], refuse) : [args[0]]
  } catch (error) {
    return refuse(error)
  }
}

/** The item of a message: the first argument that a function would get. */
function itemOf({ args, kwargs }: Message): unknown {
  return args.length === 0 && Object.keys(kwargs).length > 0 ? kwargs : args[0]
}

/**
 * Calls the function, and gives each item an end.
 * @param needed For each item, whether its result must be there.
 */
async function runItems(
  actor: AnyActor,
  items: readonly unknown[],
  running: RunningMessage,
  broker: Broker | undefined,
  needed: readonly boolean[],
): Promise<BatchEnd[]> {
  try {
    const returned: unknown = await runActor({ fn: () => actor.fn(items) }, running, broker)
    refuseGenerator(returned, actor.actorName)
    if (Array.isArray(returned) && returned.length === items.length) return returned.map((result) => [result])
    if (returned === undefined) return items.map(() => [undefined])
    const what = `an array of ${items.length} results, one for each item and in their order, or nothing`
    const text = `Expected the batch actor "${actor.actorName}" to return ${what}; got ${show(returned)}.`
    return needed.map((isNeeded) => (isNeeded ? [undefined, new NotSerializable(text, 'result')] : [undefined]))
  } catch (error) {
    if (error instanceof BatchError) return endsOf(error, items.length)
    throw error
  }
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
