/**
 * What is in hand in this process: the messages whose actors run now. A list whose links are in the executions
 * themselves, since every message comes and goes by it, and few are ever looked for.
 */
import type { Message } from '../message.js'
import { shared } from '../registry.js'
import type { Execution } from './execution.js'

/** A list for each worker of the process. */
const allRunning = shared('messages in hand', () => new Set<RunningMessages>())
/** The one that came last, which is asked for most: by what holds it to a time limit. */
let latest: Execution | undefined

/** What a worker has in hand. */
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

  /** Takes it out. It must be in. */
  delete(execution: Execution): void {
    const { previous, next } = execution
    if (previous) previous.next = next
    else this.#first = next
    if (next) next.previous = previous
    execution.previous = undefined
    execution.next = undefined
    if (latest === execution) latest = undefined
  }

  /** All of them, as they are at this moment. */
  executions(): Execution[] {
    const all: Execution[] = []
    for (let one = this.#first; one; one = one.next) all.push(one)
    return all
  }

  /** Forgets about the worker. */
  close(): void {
    allRunning.delete(this)
  }
}

/** The run of a message, if it runs in this process. */
export function executionOf(message: Message): Execution | undefined {
  if (latest?.message === message) return latest
  for (const running of allRunning) {
    const execution = running.executions().find((one) => one.message === message)
    if (execution) return execution
  }
  return undefined
}
