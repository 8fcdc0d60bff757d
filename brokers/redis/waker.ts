/**
 * The waker: lets idle workers sleep until there is something to do. All queues of a process wait on one blocked
 * connection (BLPOP on their wake lists); whoever sends leaves a token there. What leaves none (Python) and what got
 * lost (a token on its way to a process that died) is found by a slow poll, one call for all queues; a due time that
 * is near has a timer of its own.
 */
import { randomUUID } from 'node:crypto'
import { backoff } from '../../lib/time.js'
import type { Keys, QueueKeys } from './keys.js'
import type { Link } from './link.js'
import { script } from './scripts.js'

/** How often queues are looked at where nobody rings, in milliseconds. */
export const pollPause = 900
/** How long one blocking call lasts at most, in seconds; and how much later than that its answer may come. */
const block = { seconds: 10, grace: 5000 }

/** Somebody who sleeps until there is something on a queue. */
interface Sleeper {
  readonly queue: QueueKeys
  readonly wake: () => void
  timer: NodeJS.Timeout | undefined
  due: number
}

export class Waker {
  readonly #commands: Link
  readonly #blocking: Link
  readonly #control: string
  readonly #sleepers = new Set<Sleeper>()
  /** The wake lists that the blocked call waits for. */
  #armed: ReadonlySet<string> | undefined
  #interrupted = false
  #poll: NodeJS.Timeout | undefined
  #closed = false

  constructor(keys: Keys, commands: Link, blocking: Link) {
    this.#commands = commands
    this.#blocking = blocking
    this.#control = keys.control(randomUUID())
  }

  /**
   * Sleeps until there may be something to do on a queue. It may be woken for nothing.
   *
   * @param due When the next delayed message of the queue is due, where there is one.
   * @param signal Ends the sleep.
   */
  sleep(queue: QueueKeys, due: number | undefined, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(sleeper.timer)
        signal.removeEventListener('abort', wake)
        this.#sleepers.delete(sleeper)
        if (this.#sleepers.size === 0) clearTimeout(this.#poll)
        resolve()
      }
      const sleeper: Sleeper = { queue, wake, timer: undefined, due: Number.POSITIVE_INFINITY }
      if (signal.aborted || this.#closed) return resolve()
      signal.addEventListener('abort', wake)
      this.#sleepers.add(sleeper)
      if (due !== undefined) this.#setAlarm(sleeper, due)
      if (this.#sleepers.size === 1) this.#schedulePoll()
      this.#arm(queue)
    })
  }

  /** Ends the blocked call where nobody sleeps any more. */
  rest(): void {
    if (this.#sleepers.size === 0 && this.#armed) this.#interrupt()
  }

  close(): void {
    this.#closed = true
    for (const sleeper of [...this.#sleepers]) sleeper.wake()
    this.#blocking.close()
  }

  // — Being rung for —————————————————————————————————————————————————————————————————————————————————————

  /** Sees to it that the blocked call waits for this queue, too. */
  #arm(queue: QueueKeys): void {
    if (!this.#armed) {
      this.#armed = new Set()
      void this.#listen()
    } else if (this.#armed.size > 0 && !this.#armed.has(queue.wake)) {
      this.#interrupt()
    }
  }

  #interrupt(): void {
    if (this.#interrupted) return
    this.#interrupted = true
    this.#commands
      .call((client) => Promise.all([client.rpush(this.#control, '1'), client.pexpire(this.#control, 60_000)]))
      .catch(() => {})
  }

  async #listen(): Promise<void> {
    for (let failures = 0; this.#sleepers.size > 0 && !this.#closed; ) {
      const armed = new Set([...this.#sleepers].map(({ queue }) => queue.wake))
      this.#armed = armed
      this.#interrupted = false
      try {
        const answer = await this.#blocking.call(
          (client) => client.blpop(...armed, this.#control, block.seconds),
          block.seconds * 1000 + block.grace,
        )
        failures = 0
        if (answer) this.#ring(answer[0])
      } catch {
        // The poll goes on meanwhile, and tells the worker when Redis is away.
        const wait = backoff(failures++, { factor: 20, max: 1000 })
        // Somebody sleeps, and for him the process stays.
        await new Promise((resolve) => setTimeout(resolve, wait))
      }
    }
    this.#armed = undefined
  }

  #ring(wakeList: string): void {
    if (wakeList === this.#control) return
    for (const sleeper of this.#sleepers) if (sleeper.queue.wake === wakeList) return sleeper.wake()
    // Nobody here sleeps on that queue any more: another process may.
    this.#commands.run(script('return-token'), [wakeList], []).catch(() => {})
  }

  // — Looking by oneself —————————————————————————————————————————————————————————————————————————————————

  #setAlarm(sleeper: Sleeper, due: number): void {
    if (due === sleeper.due) return
    clearTimeout(sleeper.timer)
    sleeper.due = due
    const delay = due - Date.now()
    // What is further away the poll will see again.
    sleeper.timer = delay <= 2 * pollPause ? setTimeout(sleeper.wake, Math.max(1, Math.ceil(delay))).unref() : undefined
    if (!sleeper.timer) sleeper.due = Number.POSITIVE_INFINITY
  }

  #schedulePoll(): void {
    clearTimeout(this.#poll)
    this.#poll = setTimeout(() => void this.#look(), pollPause).unref()
  }

  async #look(): Promise<void> {
    const queues = [...new Set([...this.#sleepers].map(({ queue }) => queue))]
    const keys = queues.flatMap((queue) => [queue.delayed, queue.delayQueue, ...queue.lists])
    try {
      const answer = (await this.#commands.run(script('poll'), keys, [Date.now()])) as (number | string)[]
      queues.forEach((queue, index) => {
        const [ready, due] = [answer[2 * index] === 1, answer[2 * index + 1] as string]
        const asleep = [...this.#sleepers].filter((sleeper) => sleeper.queue === queue)
        if (ready) asleep[0]?.wake()
        else if (due !== '') for (const sleeper of asleep) this.#setAlarm(sleeper, Number(due))
      })
    } catch {
      // They find out for themselves that Redis is away, and tell the worker.
      for (const sleeper of [...this.#sleepers]) sleeper.wake()
    }
    if (this.#sleepers.size > 0 && !this.#closed) this.#schedulePoll()
  }
}
