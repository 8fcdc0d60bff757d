/** Reads the results of the members of a group. */
import type { Duration } from '../duration.js'
import { Deadline, parseDuration } from '../time.js'
import type { Step } from './step-types.js'

interface Options {
  readonly timeout?: Duration | undefined
}

export async function* resultsInOrder(members: readonly Step[], options: Options): AsyncGenerator<unknown, void> {
  const left = countDown(options)
  for (const member of members) yield await member.result({ timeout: left() })
}

export async function* resultsAsCompleted(members: readonly Step[], options: Options): AsyncGenerator<unknown, void> {
  const timeout = countDown(options)()
  const ended: ({ readonly result: unknown } | { readonly error: unknown })[] = []
  let wake = (): void => {}
  const note = (end: (typeof ended)[number]): void => {
    ended.push(end)
    wake()
  }
  for (const member of members) {
    member.result({ timeout }).then(
      (result) => note({ result }),
      (error) => note({ error }),
    )
  }
  for (let count = 0; count < members.length; count++) {
    if (ended.length === 0) await new Promise<void>((resolve) => (wake = resolve))
    const end = ended.shift()
    if (end && 'error' in end) throw end.error
    yield end?.result
  }
}

/** What is left of the time for all members, in milliseconds. A timeout of 0 stays 0. */
function countDown({ timeout = 10_000 }: Options): () => number {
  const all = parseDuration(timeout, 'timeout')
  const deadline = new Deadline(all)
  return () => (all === 0 ? 0 : Math.max(1, Math.ceil(deadline.left)))
}
