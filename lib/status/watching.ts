/**
 * Follows the status and the progress of a message. The watch of a key wakes it, so nothing is polled; all watches of a
 * process share a connection, and what changed in one turn is read in one call.
 */
import { refuseUnknown } from '../checks.js'
import { ConnectionFailed } from '../errors.js'
import type { StateBackend } from '../state/backend.js'
import { parseDuration, startTimer } from '../time.js'
import { checkId } from './reading.js'
import type { Progress } from './report.js'
import { decodeStatus, isEnd, type MessageStatus, statusKey } from './status.js'
import { readInTurn } from './turn-reads.js'
import type { WatchOptions } from './watch-options.js'

/**
 * How often the status is read although nothing was heard of it, in milliseconds: a record that expires notifies nobody.
 */
const recheckInterval = 30_000
/** How long to wait while the store can't be reached, in milliseconds. */
const unreachableInterval = 1000

/** Each status of a message, the current one first. Ends with the end of the message, and returns the last status. */
export function watchStatus(
  state: StateBackend,
  messageId: string,
  options: WatchOptions = {},
): AsyncGenerator<MessageStatus, MessageStatus, undefined> {
  checkId(messageId)
  refuseUnknown(options, ['signal', 'timeout'], 'watchStatus()')
  const { signal, timeout = 0 } = options
  const changes = new Changes()
  const statuses = follow(state, messageId, { signal, timeout: parseDuration(timeout, 'timeout'), changes })
  return endingAtOnce(statuses, () => changes.close())
}

/** The last progress of a message, and each newer one. Ends with the end of the message, and returns its status. */
export function watchProgress(
  state: StateBackend,
  messageId: string,
  options: WatchOptions = {},
): AsyncGenerator<Progress, MessageStatus, undefined> {
  const statuses = watchStatus(state, messageId, options)
  return endingAtOnce(progressOf(statuses), () => void statuses.return(undefined as never))
}

async function* progressOf(
  statuses: AsyncGenerator<MessageStatus, MessageStatus, undefined>,
): AsyncGenerator<Progress, MessageStatus, undefined> {
  try {
    let last: MessageStatus | undefined
    for (;;) {
      const { done, value: status } = await statuses.next()
      if (done) return status
      const { progress, note, progressAt } = status
      const isNew = progress !== last?.progress || note !== last?.note || progressAt !== last?.progressAt
      if (progress !== undefined && isNew) yield { progress, note, at: progressAt as number }
      last = status
    }
  } finally {
    await statuses.return(undefined as never)
  }
}

interface Following {
  readonly signal: AbortSignal | undefined
  readonly timeout: number
  readonly changes: Changes
}

async function* follow(
  state: StateBackend,
  messageId: string,
  { signal, timeout, changes }: Following,
): AsyncGenerator<MessageStatus, MessageStatus, undefined> {
  const key = statusKey(messageId)
  const knownBy = performance.now() + timeout
  const wake = (): void => changes.wake()
  signal?.throwIfAborted()
  signal?.addEventListener('abort', wake)
  const stop = state.watch(key, wake)
  let seen: string | undefined
  try {
    for (;;) {
      changes.clear()
      const found = await tryRead(state, key)
      signal?.throwIfAborted()
      const status = decodeStatus(messageId, found?.value)
      if (found && found.value !== seen) yield status
      // Unknown, or expired.
      const isGone = found?.value === undefined && (seen !== undefined || performance.now() >= knownBy)
      if (changes.closed || (found && (isEnd(status) || isGone))) return status
      if (found) seen = found.value
      const pause = found ? recheckInterval : unreachableInterval
      await changes.next(found && seen === undefined ? Math.min(pause, knownBy - performance.now()) : pause)
      signal?.throwIfAborted()
    }
  } finally {
    stop()
    signal?.removeEventListener('abort', wake)
  }
}

/** The value; nothing if the store can't be reached at the moment. */
async function tryRead(state: StateBackend, key: string): Promise<{ value: string | undefined } | undefined> {
  try {
    return { value: await readInTurn(state, key) }
  } catch (error) {
    if (error instanceof ConnectionFailed) return undefined
    throw error
  }
}

/** Makes `return()` end a generator that waits for something, which otherwise would go on waiting. */
function endingAtOnce<T, R>(
  generator: AsyncGenerator<T, R, undefined>,
  end: () => void,
): AsyncGenerator<T, R, undefined> {
  const finish = generator.return.bind(generator)
  generator.return = (value) => {
    end()
    return finish(value)
  }
  return generator
}

/** Whether something changed since the last look. */
class Changes {
  closed = false
  #changed = false
  #wake: (() => void) | undefined

  clear(): void {
    this.#changed = false
  }

  wake(): void {
    this.#changed = true
    this.#wake?.()
  }

  close(): void {
    this.closed = true
    this.wake()
  }

  /** Resolves with the next change, or after `timeout` milliseconds. Keeps the process alive, like all that is awaited. */
  async next(timeout: number): Promise<void> {
    if (this.#changed) return
    await new Promise<void>((resolve) => {
      const timer = startTimer(resolve, Math.max(0, timeout))
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = undefined
  }
}
