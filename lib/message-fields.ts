/** The fields of a message, and what is wrong with them. */
import { expected } from './checks.js'

/** The fields of a message, as its constructor and `with()` take them. */
export interface MessageFields {
  readonly queueName: string
  readonly actorName: string
  readonly args: readonly unknown[]
  readonly kwargs?: Readonly<Record<string, unknown>> | undefined
  /** As on the wire: snake_case names, JSON values. */
  readonly options?: Readonly<Record<string, unknown>> | undefined
  /** The same over retries and delays; the key of the result. @default a new UUID */
  readonly messageId?: string | undefined
  /** When the message was created, in milliseconds since the epoch; the same over retries. @default now */
  readonly messageTimestamp?: number | undefined
}

/** Their names. */
export const fieldNames = ['queueName', 'actorName', 'args', 'kwargs', 'options', 'messageId', 'messageTimestamp']

/**
 * Names the field that is missing or of another kind.
 * @throws {InvalidOption}
 */
export function explainFields(message: MessageFields): never {
  for (const name of ['queueName', 'actorName', 'messageId'] as const) {
    if (typeof message[name] !== 'string') throw expected('a text', message[name], name)
  }
  if (!Array.isArray(message.args)) throw expected('an array of arguments', message.args, 'args')
  for (const name of ['kwargs', 'options'] as const) {
    const value: unknown = message[name]
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw expected('an object', value, name)
  }
  throw expected('milliseconds since the epoch, a number', message.messageTimestamp, 'messageTimestamp')
}
