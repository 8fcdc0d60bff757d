/** The lock of a unique key in the state: which message holds it, and what runs after that. */
import type { WireMessage } from '../encoder.js'

export interface Lock {
  /** The id of the message that holds it. */
  readonly id: string
  /** The handle by which that message is found while it waits. */
  readonly handle: string
  /** The message that runs once that one has ended. */
  readonly next?: WireMessage | undefined
  /** Its place in pipelines and groups, if it has one: what replaces it takes that over. */
  readonly place?: Readonly<Record<string, unknown>> | undefined
}

export function lockKey(key: string): string {
  return `unique:${key}`
}

export function encodeLock({ id, handle, next, place }: Lock): string {
  return JSON.stringify({ id, handle, next, place })
}

/** @param value As it was read from the state. */
export function decodeLock(value: string): Lock {
  return JSON.parse(value) as Lock
}
