/** Reads the status and the log of messages, by their ids. */
import { expected } from '../checks.js'
import type { StateBackend } from '../state/backend.js'
import type { LogLine } from './report.js'
import { decodeLog, decodeStatus, logKey, type MessageStatus, statusKey } from './status.js'
import { readInTurn } from './turn-reads.js'

export async function readStatus(state: StateBackend, messageId: string): Promise<MessageStatus> {
  checkId(messageId)
  return decodeStatus(messageId, await readInTurn(state, statusKey(messageId)))
}

/** Those of many, in one call. */
export async function readStatuses(state: StateBackend, messageIds: readonly string[]): Promise<MessageStatus[]> {
  if (!Array.isArray(messageIds)) throw expected('an array of message ids', messageIds, 'messageIds')
  for (const messageId of messageIds) checkId(messageId)
  if (messageIds.length === 0) return []
  const values = await state.read(messageIds.map(statusKey))
  return messageIds.map((messageId, index) => decodeStatus(messageId, values[index]))
}

export async function readLogs(state: StateBackend, messageId: string): Promise<readonly LogLine[]> {
  checkId(messageId)
  return decodeLog(await readInTurn(state, logKey(messageId)))
}

/** @throws {InvalidOption} */
export function checkId(value: unknown): asserts value is string {
  if (typeof value !== 'string' || value === '') {
    throw expected('the id of a message, such as message.messageId', value, 'messageId')
  }
}
