/**
 * The waker: lets idle workers sleep until there is something to do. All queues of a process wait on one blocked
 * connection (BLPOP on their wake lists); whoever sends leaves a token there. Behind the blocked call stands a fetch
 * for the queue that was busy last, so that what wakes it comes with the token, in one trip. What leaves no token
 * (Python) and what got lost (a token on its way to a process that died) is found by a slow poll, one call for all
 * queues; a due time that is near has a timer of its own.
 */
import { backoff, pause, startTimer } from '../../lib/time.js'
import { uuid } from '../../lib/uuid.js'
import type { Client } from './client.js'
import type { Keys, QueueKeys } from './keys.js'
import type { Argument, Link } from './link.js'
import { type Script, script } from './scripts.js'

/** How often queues are looked at where nobody rings, in milliseconds. */
export const pollPause = 900
/** How long one blocking call lasts at most, in seconds; and how much later than that its answer may come. */
const block = { seconds: 10, grace: 5000 }
/** How long one who is to end waits for the blocked call to end in good order, in milliseconds. */
const farewell = 1000
/** How long after the blocked call was interrupted it may still not be answered, in milliseconds. */
const longestDeafness = 2000

/** A script call. */
export interface Call {
  readonly script: Script
  readonly keys: readonly string[]
  readonly args: readonly Argument[]
}

/** What came of a fetch that stood behind the blocked call. */
export interface Found {
  /** Whether its queue need not sleep on. */
  readonly awake: boolean
  /** When the next delayed message is due, where there is one. */
  readonly due: number | undefined
}

/** Makes a fetch by handing its call to `send`; where that gives back nothing, the call could not be made. */
export type Fetch = (send: (call: Call) => Promise<unknown>) => Promise<Found>

export interface Sleep {
  /** When the next delayed message of the queue is due, where there is one. */
  readonly due: number | undefined
  /** Ends the sleep. */
  readonly signal: AbortSignal
  readonly fetch: Fetch
}

/** Somebody who sleeps until there is something on a queue. */
interface Sleeper {
  readonly queue: QueueKeys
  readonly signal: AbortSignal
  readonly fetch: Fetch
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
  /** Whose fetch stands behind the blocked call: he wakes when that is answered, and not before. */
  #behind: Sleeper | undefined
  #interrupted = false
  #poll: NodeJS.Timeout | undefined
  #closed = false

  constructor(keys: Keys, commands: Link, blocking: Link) {
    this.#commands = commands
    this.#blocking = blocking
    this.#control = keys.control(uuid())
  }

  /** Sleeps until there may be something to do on a queue. It may be woken for nothing. */
  sleep(queue: QueueKeys, { due, signal, fetch }: Sleep): Promise<void> {
    return new Promise((resolve) => {
      const stop = (): void => this.#stop(sleeper)
      const wake = (): void => {
        clearTimeout(sleeper.timer)
        signal.removeEventListener('abort', stop)
        this.#sleepers.delete(sleeper)
        if (this.#sleepers.size === 0) clearTimeout(this.#poll)
        resolve()
      }
      const sleeper: Sleeper = { queue, signal, fetch, wake, timer: undefined, due: Number.POSITIVE_INFINITY }
      if (signal.aborted || this.#closed) return resolve()
      signal.addEventListener('abort', stop)
      this.#sleepers.add(sleeper)
      if (due !== undefined) this.#setAlarm(sleeper, due)
      if (this.#sleepers.size === 1) this.#schedulePoll()
      this.#arm(queue)
    })
  }

  /** Wakes everybody who sleeps on a queue. */
  rouse(queue: QueueKeys): void {
    for (const sleeper of [...this.#sleepers]) if (sleeper.queue === queue) this.#rouse(sleeper)
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

  #rouse(sleeper: Sleeper): void {
    if (sleeper === this.#behind) this.#interrupt()
    else sleeper.wake()
  }

  /** Wakes one who is to end, whether Redis answers or not. */
  #stop(sleeper: Sleeper): void {
    this.#rouse(sleeper)
    if (!this.#sleepers.has(sleeper)) return
    const late = (): void => {
      if (!this.#sleepers.has(sleeper)) return
      this.#blocking.reset()
      sleeper.wake()
    }
    startTimer(late, farewell).unref()
  }

  #interrupt(): void {
    if (this.#interrupted) return
    this.#interrupted = true
    const armed = this.#armed
    // What is pushed is heard at once, unless the connection was dropped on the way without a word.
    const listen = (): void => {
      if (this.#interrupted && this.#armed === armed) this.#blocking.reset()
    }
    this.#commands
      .call((client) => client.pipeline().rpush(this.#control, '1').pexpire(this.#control, 60_000).exec())
      .then(() => startTimer(listen, longestDeafness).unref())
      .catch(() => this.#blocking.reset())
  }

  async #listen(): Promise<void> {
    for (let failures = 0; this.#sleepers.size > 0 && !this.#closed; ) {
      this.#armed = new Set([...this.#sleepers].map(({ queue }) => queue.wake))
      this.#interrupted = false
      this.#behind = this.#blocking.isCluster ? undefined : [...this.#sleepers].at(-1)
      const behind: Sleeper | undefined = this.#behind
      let rung: string | undefined
      try {
        rung = behind ? await this.#blockAndFetch(behind) : await this.#block()
        failures = 0
      } catch {
        failures++
      }
      this.#behind = undefined
      if (rung !== undefined) this.#ring(rung, behind)
      if (failures === 0) continue
      // The poll goes on meanwhile, and tells the worker when Redis is away. Somebody sleeps, and for him the process stays.
      await pause(backoff(failures - 1, { factor: 20, max: 1000 }))
      // His fetch may have been made, its answer lost: he looks by himself.
      behind?.wake()
    }
    this.#armed = undefined
  }

  /** @returns The wake list that was rung. */
  async #block(): Promise<string | undefined> {
    const lists = this.#lists()
    const answer = await this.#blocking.call((client) => client.blpop(...lists, block.seconds), {
      timeout: block.seconds * 1000 + block.grace,
    })
    return answer?.[0]
  }

  async #blockAndFetch(sleeper: Sleeper): Promise<string | undefined> {
    const lists = this.#lists()
    let rung: string | undefined
    const { awake, due } = await sleeper.fetch(async (call) => {
      const [list, answer] = await this.#blocking.call(
        (client) => {
          sleeper.signal.throwIfAborted()
          return blockThen(client, lists, call)
        },
        { timeout: block.seconds * 1000 + block.grace },
      )
      rung = list
      return answer
    })
    if (awake) sleeper.wake()
    else if (due !== undefined) this.#setAlarms(sleeper.queue, due)
    return rung
  }

  #lists(): string[] {
    return [...(this.#armed ?? []), this.#control]
  }

  /** @param served Whose fetch was made already. */
  #ring(wakeList: string, served: Sleeper | undefined): void {
    if (wakeList === this.#control || wakeList === served?.queue.wake) return
    for (const sleeper of this.#sleepers) if (sleeper.queue.wake === wakeList) return sleeper.wake()
    // Nobody here sleeps on that queue any more: another process may.
    this.#commands.run(script('return-token'), [wakeList], []).catch(() => {})
  }

  // — Looking by oneself —————————————————————————————————————————————————————————————————————————————————

  #setAlarms(queue: QueueKeys, due: number): void {
    for (const sleeper of this.#sleepers) if (sleeper.queue === queue) this.#setAlarm(sleeper, due)
  }

  #setAlarm(sleeper: Sleeper, due: number): void {
    if (due === sleeper.due) return
    clearTimeout(sleeper.timer)
    sleeper.due = due
    const delay = due - Date.now()
    const rouse = (): void => {
      sleeper.due = Number.POSITIVE_INFINITY
      this.#rouse(sleeper)
    }
    // What is further away the poll will see again.
    sleeper.timer = delay <= 2 * pollPause ? startTimer(rouse, Math.max(1, Math.ceil(delay))).unref() : undefined
    if (!sleeper.timer) sleeper.due = Number.POSITIVE_INFINITY
  }

  #schedulePoll(): void {
    clearTimeout(this.#poll)
    this.#poll = startTimer(() => void this.#look(), pollPause).unref()
  }

  async #look(): Promise<void> {
    const queues = [...new Set([...this.#sleepers].map(({ queue }) => queue))]
    const keys = queues.flatMap((queue) => [queue.delayed, queue.delayQueue, ...queue.lists])
    try {
      const answer = (await this.#commands.run(script('poll'), keys, [Date.now()])) as (number | string)[]
      queues.forEach((queue, index) => {
        const [ready, due] = [answer[2 * index] === 1, answer[2 * index + 1] as string]
        const asleep = [...this.#sleepers].find((sleeper) => sleeper.queue === queue)
        if (ready && asleep) this.#rouse(asleep)
        else if (due !== '') this.#setAlarms(queue, Number(due))
      })
    } catch {
      // They find out for themselves that Redis is away, and tell the worker.
      for (const sleeper of [...this.#sleepers]) this.#rouse(sleeper)
    }
    if (this.#sleepers.size > 0 && !this.#closed) this.#schedulePoll()
  }
}

/** A blocking call and, in the same write, a script call that Redis makes as soon as that one ends. */
async function blockThen(
  client: Client,
  lists: readonly string[],
  { script: { sha }, keys, args }: Call,
): Promise<[list: string | undefined, answer: unknown]> {
  const pipeline = client.pipeline().blpop([...lists], block.seconds)
  const results = await pipeline.callBuffer('EVALSHA', sha, keys.length, ...keys, ...args).exec()
  const [[blockError, popped] = [], [scriptError, answer] = []] = results ?? []
  if (blockError) throw blockError
  // A script that Redis doesn't know any more, say: whoever asked asks again by himself.
  return [(popped as [string, string] | null)?.[0], scriptError ? undefined : answer]
}
