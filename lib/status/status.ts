/** The status of a message: what it says, and how it is stored. */
import type { LogLine, Progress } from './report.js'
import type { WatchOptions } from './watch-options.js'

/**
 * `'queued'`: waits for a worker. `'delayed'`: waits until it is due. `'running'`: its actor has started. `'retrying'`:
 * an attempt failed, and the next one waits until it is due. `'succeeded'`, `'failed'` (for good, with the last attempt)
 * and `'cancelled'` are ends. `'unknown'`: there is no record, because the message isn't tracked, because it ended longer
 * than `statusTtl` ago, or because nobody sent it.
 */
export type MessageState =
  | 'queued'
  | 'delayed'
  | 'running'
  | 'retrying'
  | 'succeeded'
  | 'failed'
  | 'cancelled'
  | 'unknown'

/** The status of a message. If its state is `'unknown'`, there is nothing else but its id. */
export interface MessageStatus {
  readonly state: MessageState
  readonly messageId: string
  readonly actorName?: string | undefined
  readonly queueName?: string | undefined
  /** The number of the attempt, from 1: the current one, the next one while it is queued, or the last one. */
  readonly attempt?: number | undefined
  /** The maximum number of attempts, if known. */
  readonly maxAttempts?: number | undefined
  /** When it was sent. All times are milliseconds since the epoch. */
  readonly queuedAt?: number | undefined
  /** When it may run, while it is delayed or retrying. */
  readonly dueAt?: number | undefined
  /** When the current or last attempt started. */
  readonly startedAt?: number | undefined
  /** When it succeeded, failed or was cancelled. */
  readonly endedAt?: number | undefined
  /** The worker of the current or last attempt: `<host>:<process id>`. */
  readonly worker?: string | undefined
  /** How far the actor said it was, from 0 to 1, in the current or last attempt. */
  readonly progress?: number | undefined
  /** What it said with that. */
  readonly note?: string | undefined
  /** When it said so. */
  readonly progressAt?: number | undefined
  /** Why it failed or was cancelled, or the failure of the last attempt while it is retrying: as in its result. */
  readonly error?: { readonly type: string; readonly message: string } | undefined
  /** Why it succeeded without having run, if a plugin skipped it. */
  readonly skipped?: string | undefined
}

/** Where a message reads its status: a broker. */
export interface StatusSource {
  status(messageId: string): Promise<MessageStatus>
  progress(messageId: string, options?: WatchOptions): AsyncGenerator<Progress, MessageStatus, undefined>
  logs(messageId: string): Promise<readonly LogLine[]>
}

/** Whether nothing follows. */
export function isEnd({ state }: MessageStatus): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled'
}

/** The key of the status of a message in the state. */
export function statusKey(messageId: string): string {
  return `status:${messageId}`
}

/** The key of its log. */
export function logKey(messageId: string): string {
  return `log:${messageId}`
}

export function encodeStatus({ messageId: _, ...others }: MessageStatus): string {
  return JSON.stringify(others)
}

/** @param value As it was read from the state. */
export function decodeStatus(messageId: string, value: string | undefined): MessageStatus {
  return value === undefined ? { state: 'unknown', messageId } : { ...(JSON.parse(value) as MessageStatus), messageId }
}

/** @param value As it was read from the state. */
export function decodeLog(value: string | undefined): readonly LogLine[] {
  return value === undefined ? [] : (JSON.parse(value) as LogLine[])
}
