/**
 * The messages whose actors run in this process. A linked list whose links are fields of the executions: every message is
 * added and removed, and few are ever looked up.
 */
import type { Delivery } from '../consumer.js'
import type { Message } from '../message.js'
import { shared } from '../registry.js'
import type { Execution } from './execution.js'

/** One list per worker of the process. */
const allRunning = shared('messages in hand', () => new Set<RunningMessages>())
/** The one added last. Most lookups are for it: the time limit is set right after. */
let latest: Execution | undefined

/** The running messages of one worker. */
export class RunningMessages {
  #first: Execution | undefined

  constructor() {
    allRunning.add(this)
  }

  add(execution: Execution): void {
    const next = this.#first
    execution.next = next
    if (next) next.previous = execution
    this.#first = execution
    latest = execution
  }

  /** Removes an execution, which must be in the list. */
  delete(execution: Execution): void {
    const { previous, next } = execution
    if (previous) previous.next = next
    else this.#first = next
    if (next) next.previous = previous
    execution.previous = undefined
    execution.next = undefined
    if (latest === execution) latest = undefined
  }

  /** A snapshot of all. */
  executions(): Execution[] {
    const all: Execution[] = []
    for (let one = this.#first; one; one = one.next) all.push(one)
    return all
  }

  /** Called when the worker has stopped. */
  close(): void {
    allRunning.delete(this)
  }
}

/** The execution of a message, if it runs in this process. */
export function executionOf(message: Message): Execution | undefined {
  if (latest?.message === message) return latest
  for (const running of allRunning) {
    const execution = running.executions().find((one) => one.message === message)
    if (execution) return execution
  }
  return undefined
}

/** The delivery of a message whose actor runs, or is about to run, in this process. */
export function deliveryOf(message: Message): Delivery | undefined {
  return executionOf(message)?.delivery
}
