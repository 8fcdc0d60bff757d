/**
 * The waker: lets idle workers sleep until there is something to do. All queues of a process wait on one blocked
 * connection (BLPOP on their wake lists); whoever sends leaves a token there. Behind the blocked call stands a fetch
 * for the queue that was busy last, so that what wakes it comes with the token, in one trip. What leaves no token
 * (Python) and what got lost (a token on its way to a process that died) is found by a slow poll, one call for all
 * queues; a due time that is near has a timer of its own.
 */
import { backoff, pause, startTimer } from '../../../lib/time.js'
import { uuid } from '../../../lib/uuid.js'
import type { Client } from '../connection/client.js'
import type { Argument, CommandConnection } from '../connection/command-connection.js'
import type { Keys, QueueKeys } from '../keys.js'
import { type Script, script } from '../scripts.js'

/** How often queues are looked at where nobody rings, in milliseconds. */
export const pollInterval = 900
/** How long one blocking call lasts at most, in seconds; and how much later than that its answer may come. */
const block = { seconds: 10, grace: 5000 }
/** How long one who is to end waits for the blocked call to end in good order, in milliseconds. */
const closeTimeout = 1000
/** How long after the blocked call was interrupted it may still not be answered, in milliseconds. */
const interruptTimeout = 2000

/** A script call. */
export interface ScriptCall {
  readonly script: Script
  readonly keys: readonly string[]
  readonly args: readonly Argument[]
}

/** What came of a fetch that stood behind the blocked call. */
export interface FetchOutcome {
  /** Whether its queue need not sleep on. */
  readonly awake: boolean
  /** When the next delayed message is due, where there is one. */
  readonly due: number | undefined
}

/** Makes a fetch by handing its call to `send`; where that gives back nothing, the call could not be made. */
export type Fetch = (send: (call: ScriptCall) => Promise<unknown>) => Promise<FetchOutcome>

export interface SleepOptions {
  /** When the next delayed message of the queue is due, where there is one. */
  readonly due: number | undefined
  /** Ends the sleep. */
  readonly signal: AbortSignal
  readonly fetch: Fetch
}

/** Somebody who sleeps until there is something on a queue. */
interface IdleConsumer {
  readonly queue: QueueKeys
  readonly signal: AbortSignal
  readonly fetch: Fetch
  readonly wake: () => void
  timer: NodeJS.Timeout | undefined
  due: number
}

export class WakeUps {
  readonly #commands: CommandConnection
  readonly #blocking: CommandConnection
  readonly #control: string
  readonly #idle = new Set<IdleConsumer>()
  /** The wake lists that the blocked call waits for. */
  #watchedLists: ReadonlySet<string> | undefined
  /** Whose fetch stands behind the blocked call: he wakes when that is answered, and not before. */
  #pipelined: IdleConsumer | undefined
  #interrupted = false
  #poll: NodeJS.Timeout | undefined
  #closed = false

  constructor(keys: Keys, commands: CommandConnection, blocking: CommandConnection) {
    this.#commands = commands
    this.#blocking = blocking
    this.#control = keys.control(uuid())
  }

  /** Sleeps until there may be something to do on a queue. It may be woken for nothing. */
  sleep(queue: QueueKeys, { due, signal, fetch }: SleepOptions): Promise<void> {
    return new Promise((resolve) => {
      const stop = (): void => this.#stopConsumer(consumer)
      const wake = (): void => {
        clearTimeout(consumer.timer)
        signal.removeEventListener('abort', stop)
        this.#idle.delete(consumer)
        if (this.#idle.size === 0) clearTimeout(this.#poll)
        resolve()
      }
      const consumer: IdleConsumer = { queue, signal, fetch, wake, timer: undefined, due: Number.POSITIVE_INFINITY }
      if (signal.aborted || this.#closed) return resolve()
      signal.addEventListener('abort', stop)
      this.#idle.add(consumer)
      if (due !== undefined) this.#setDueTimer(consumer, due)
      if (this.#idle.size === 1) this.#schedulePoll()
      this.#watch(queue)
    })
  }

  /** Wakes everybody who sleeps on a queue. */
  wake(queue: QueueKeys): void {
    for (const consumer of [...this.#idle]) if (consumer.queue === queue) this.#wake(consumer)
  }

  /** Ends the blocked call where nobody sleeps any more. */
  stopIfIdle(): void {
    if (this.#idle.size === 0 && this.#watchedLists) this.#interrupt()
  }

  close(): void {
    this.#closed = true
    for (const consumer of [...this.#idle]) consumer.wake()
    this.#blocking.close()
  }

  // — Being rung for —————————————————————————————————————————————————————————————————————————————————————

  /** Sees to it that the blocked call waits for this queue, too. */
  #watch(queue: QueueKeys): void {
    if (!this.#watchedLists) {
      this.#watchedLists = new Set()
      void this.#run()
    } else if (this.#watchedLists.size > 0 && !this.#watchedLists.has(queue.wake)) {
      this.#interrupt()
    }
  }

  #wake(consumer: IdleConsumer): void {
    if (consumer === this.#pipelined) this.#interrupt()
    else consumer.wake()
  }

  /** Wakes one who is to end, whether Redis answers or not. */
  #stopConsumer(consumer: IdleConsumer): void {
    this.#wake(consumer)
    if (!this.#idle.has(consumer)) return
    const wakeAnyway = (): void => {
      if (!this.#idle.has(consumer)) return
      this.#blocking.reset()
      consumer.wake()
    }
    startTimer(wakeAnyway, closeTimeout).unref()
  }

  #interrupt(): void {
    if (this.#interrupted) return
    this.#interrupted = true
    const watchedLists = this.#watchedLists
    // What is pushed is heard at once, unless the connection was dropped on the way without a word.
    const resetIfStuck = (): void => {
      if (this.#interrupted && this.#watchedLists === watchedLists) this.#blocking.reset()
    }
    this.#commands
      .call((client) => client.pipeline().rpush(this.#control, '1').pexpire(this.#control, 60_000).exec())
      .then(() => startTimer(resetIfStuck, interruptTimeout).unref())
      .catch(() => this.#blocking.reset())
  }

  async #run(): Promise<void> {
    for (let failures = 0; this.#idle.size > 0 && !this.#closed; ) {
      this.#watchedLists = new Set([...this.#idle].map(({ queue }) => queue.wake))
      this.#interrupted = false
      this.#pipelined = this.#blocking.isCluster ? undefined : [...this.#idle].at(-1)
      const pipelined: IdleConsumer | undefined = this.#pipelined
      let tokenList: string | undefined
      try {
        tokenList = pipelined ? await this.#blockAndFetch(pipelined) : await this.#block()
        failures = 0
      } catch {
        failures++
      }
      this.#pipelined = undefined
      if (tokenList !== undefined) this.#onToken(tokenList, pipelined)
      if (failures === 0) continue
      // The poll goes on meanwhile, and tells the worker when Redis is away. Somebody sleeps, and for him the process stays.
      await pause(backoff(failures - 1, { factor: 20, max: 1000 }))
      // His fetch may have been made, its answer lost: he looks by himself.
      pipelined?.wake()
    }
    this.#watchedLists = undefined
  }

  /** @returns The wake list that was rung. */
  async #block(): Promise<string | undefined> {
    const lists = this.#lists()
    const answer = await this.#blocking.call((client) => client.blpop(...lists, block.seconds), {
      timeout: block.seconds * 1000 + block.grace,
    })
    return answer?.[0]
  }

  async #blockAndFetch(consumer: IdleConsumer): Promise<string | undefined> {
    const lists = this.#lists()
    let tokenList: string | undefined
    const { awake, due } = await consumer.fetch(async (call) => {
      const [list, answer] = await this.#blocking.call(
        (client) => {
          consumer.signal.throwIfAborted()
          return blockThen(client, lists, call)
        },
        { timeout: block.seconds * 1000 + block.grace },
      )
      tokenList = list
      return answer
    })
    if (awake) consumer.wake()
    else if (due !== undefined) this.#setDueTimers(consumer.queue, due)
    return tokenList
  }

  #lists(): string[] {
    return [...(this.#watchedLists ?? []), this.#control]
  }

  /** @param pipelined Whose fetch was made already. */
  #onToken(wakeList: string, pipelined: IdleConsumer | undefined): void {
    if (wakeList === this.#control || wakeList === pipelined?.queue.wake) return
    for (const consumer of this.#idle) if (consumer.queue.wake === wakeList) return consumer.wake()
    // Nobody here sleeps on that queue any more: another process may.
    this.#commands.run(script('return-token'), [wakeList], []).catch(() => {})
  }

  // — Looking by oneself —————————————————————————————————————————————————————————————————————————————————

  #setDueTimers(queue: QueueKeys, due: number): void {
    for (const consumer of this.#idle) if (consumer.queue === queue) this.#setDueTimer(consumer, due)
  }

  #setDueTimer(consumer: IdleConsumer, due: number): void {
    if (due === consumer.due) return
    clearTimeout(consumer.timer)
    consumer.due = due
    const delay = due - Date.now()
    const wake = (): void => {
      consumer.due = Number.POSITIVE_INFINITY
      this.#wake(consumer)
    }
    // What is further away the poll will see again.
    consumer.timer = delay <= 2 * pollInterval ? startTimer(wake, Math.max(1, Math.ceil(delay))).unref() : undefined
    if (!consumer.timer) consumer.due = Number.POSITIVE_INFINITY
  }

  #schedulePoll(): void {
    clearTimeout(this.#poll)
    this.#poll = startTimer(() => void this.#look(), pollInterval).unref()
  }

  async #look(): Promise<void> {
    const queues = [...new Set([...this.#idle].map(({ queue }) => queue))]
    const keys = queues.flatMap((queue) => [queue.delayed, queue.delayQueue, ...queue.lists])
    try {
      const answer = (await this.#commands.run(script('poll'), keys, [Date.now()])) as (number | string)[]
      queues.forEach((queue, index) => {
        const [ready, due] = [answer[2 * index] === 1, answer[2 * index + 1] as string]
        const idle = [...this.#idle].find((consumer) => consumer.queue === queue)
        if (ready && idle) this.#wake(idle)
        else if (due !== '') this.#setDueTimers(queue, Number(due))
      })
    } catch {
      // They find out for themselves that Redis is away, and tell the worker.
      for (const consumer of [...this.#idle]) this.#wake(consumer)
    }
    if (this.#idle.size > 0 && !this.#closed) this.#schedulePoll()
  }
}

/** A blocking call and, in the same write, a script call that Redis makes as soon as that one ends. */
async function blockThen(
  client: Client,
  lists: readonly string[],
  { script: { sha }, keys, args }: ScriptCall,
): Promise<[list: string | undefined, answer: unknown]> {
  const pipeline = client.pipeline().blpop([...lists], block.seconds)
  const results = await pipeline.callBuffer('EVALSHA', sha, keys.length, ...keys, ...args).exec()
  const [[blockError, popped] = [], [scriptError, answer] = []] = results ?? []
  if (blockError) throw blockError
  // A script that Redis doesn't know any more, say: whoever asked asks again by himself.
  return [(popped as [string, string] | null)?.[0], scriptError ? undefined : answer]
}
