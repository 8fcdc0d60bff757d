/** Searches the stored messages of a queue, and makes delayed ones due. */
import type { ScannedMessage } from '../../lib/consumer.js'
import { defaultTimeout } from './connection/call-options.js'
import type { CommandConnection } from './connection/command-connection.js'
import { retryIdempotent } from './connection/retry.js'
import { idArgument } from './ids.js'
import type { QueueKeys } from './keys.js'
import { script } from './scripts.js'
import { bodiesAreText, readBody } from './sending/enqueue-records.js'

/** About how many messages one call looks at. */
const pageSize = 100

/** The messages of a queue, a page at a time. Delayed ones come first: they may become ready meanwhile, and not the reverse. */
export async function* scanQueue(
  connection: CommandConnection,
  queue: QueueKeys,
  containing: string | undefined,
): AsyncGenerator<readonly ScannedMessage[]> {
  const { messages, taken, delayed, delayedMessages, delayQueue, delayQueueMessages, lists } = queue
  // The first character is the priority, see keys.ts.
  yield* scanHash(connection, [delayedMessages, delayed], { containing, skip: 1 })
  yield* scanHash(connection, [delayQueueMessages, delayQueue], { containing, skip: 0 })
  yield* scanHash(connection, [messages, taken, ...lists], { containing, skip: 0 })
}

async function* scanHash(
  connection: CommandConnection,
  keys: readonly string[],
  { containing = '', skip }: { containing: string | undefined; skip: number },
): AsyncGenerator<readonly ScannedMessage[]> {
  let cursor = '0'
  do {
    const args = [cursor, pageSize, containing]
    const [next, ...found] = (await retryIdempotent(defaultTimeout, (attempt) =>
      connection.run(script('scan'), keys, args, { ...attempt, binary: true }),
    )) as [Buffer, ...Buffer[]]
    cursor = `${next}`
    if (found.length > 0) yield readPage(found, skip)
  } while (cursor !== '0')
}

/** @param skip How many bytes precede each body. */
function readPage(found: readonly Buffer[], skip: number): ScannedMessage[] {
  const textual = bodiesAreText()
  const page: ScannedMessage[] = []
  for (let at = 0; at < found.length; at += 3) {
    const [id, state, bytes] = found.slice(at, at + 3) as [Buffer, Buffer, Buffer]
    page.push({
      ref: id.toString('latin1'),
      state: `${state}` as ScannedMessage['state'],
      body: readBody(bytes.subarray(skip), textual),
    })
  }
  return page
}

/** Makes delayed messages due. Those that Python delays stay where they are. */
export async function runNow(
  connection: CommandConnection,
  { delayed, wake }: QueueKeys,
  refs: readonly unknown[],
): Promise<void> {
  const ids = refs.map((ref) => idArgument(ref as string))
  await retryIdempotent(defaultTimeout, (attempt) => connection.run(script('run-now'), [delayed, wake], ids, attempt))
}
