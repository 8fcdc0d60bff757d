/** Reads and writes rows of messages. Each function runs inside the caller's transaction. */
import type { Body } from '../../lib/encoder.js'
import type { Message } from '../../lib/message.js'
import type { Statements } from './statements.js'

/** A message to store. */
export interface NewRow {
  readonly queueName: string
  readonly priority: number
  readonly body: Body
  /** Milliseconds since the epoch. @default immediately */
  readonly dueAt: number | undefined
  /** By which it is found while it waits. @default not at all */
  readonly handle?: string | undefined
}

export interface ReadyRow {
  readonly id: number
  readonly priority: number
  readonly deliveries: number
  readonly body: Body
}

export function insertRows(statements: Statements, rows: readonly NewRow[]): void {
  for (const { queueName, priority, body, dueAt, handle } of rows) {
    if (handle !== undefined) insertWithHandle(statements, queueName, priority, body, dueAt, handle)
    else if (dueAt === undefined) statements.insertMessage.run(queueName, priority, body)
    else statements.insertDelayed.run(queueName, priority, dueAt, body)
  }
}

function insertWithHandle(
  { insertMessageWithHandle, insertDelayedWithHandle }: Statements,
  queueName: string,
  priority: number,
  body: Body,
  dueAt: number | undefined,
  handle: string,
): void {
  if (dueAt === undefined) insertMessageWithHandle.run(queueName, priority, body, handle)
  else insertDelayedWithHandle.run(queueName, priority, dueAt, body, handle)
}

/** Removes a message that no worker holds. Returns whether it did. */
export function removeWaiting({ removeDelayed, removeWaiting }: Statements, handle: string): boolean {
  return Number(removeDelayed.run(handle).changes) > 0 || Number(removeWaiting.run(handle).changes) > 0
}

/** Assigns up to `limit` messages of a queue to `holder`, the first in order first. */
export function takeRows(
  statements: Statements,
  queueName: string,
  holder: number,
  limit: number,
): readonly ReadyRow[] {
  const now = Date.now()
  if (nextDue(statements, queueName) <= now) {
    statements.promote.run(queueName, now)
    statements.removePromoted.run(queueName, now)
  }
  const rows = statements.selectReady.all(queueName, limit) as ReadyRow[]
  if (rows.length > 0) statements.hold.run(holder, JSON.stringify(rows.map((row) => row.id)))
  return rows
}

/** When the next delayed message of a queue is due; `Infinity` if there is none. */
export function nextDue(statements: Statements, queueName: string): number {
  const row = statements.nextDue.get(queueName) as { due_at: number } | undefined
  return row?.due_at ?? Number.POSITIVE_INFINITY
}

/** Whether a queue has nothing to take. */
export function isIdle(statements: Statements, queueName: string): boolean {
  return statements.hasReady.get(queueName) === undefined && nextDue(statements, queueName) > Date.now()
}

/** The priority of a message, clamped to 0 to 9; 0 if it is invalid. */
export function priorityOf(message: Message): number {
  const asked = message.options.broker_priority
  return typeof asked === 'number' && Number.isFinite(asked) ? Math.min(9, Math.max(0, Math.trunc(asked))) : 0
}
