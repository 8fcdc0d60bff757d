/**
 * Lets idle consumers sleep until there is something to do. All queues of a process wait on one blocked connection
 * (BLPOP on their wake lists); every sender pushes a token there. A fetch for the queue that was busy last is pipelined
 * behind the blocking call, so that its messages arrive with the token, in one round trip. A slow poll, one call for
 * all queues, finds what comes without a token: messages from Python, and tokens lost on the way to a process that
 * died. A due time in the near future has its own timer.
 */
import { backoff, pause, startTimer } from '../../../lib/time.js'
import { uuid } from '../../../lib/uuid.js'
import type { Client } from '../connection/client.js'
import type { CommandConnection } from '../connection/command-connection.js'
import type { Keys, QueueKeys } from '../keys.js'
import type { Argument } from '../scripts.js'
import { type Script, script } from '../scripts.js'

/** How often idle queues are polled, in milliseconds. */
export const pollInterval = 900
/** The maximum duration of a blocking call in seconds, and how much later its reply may come (ms). */
const block = { seconds: 10, grace: 5000 }
/** How long a consumer that stops waits for the blocking call to end normally, in milliseconds. */
const closeTimeout = 1000
/** How long an interrupted blocking call may take to end before its connection is dropped, in milliseconds. */
const interruptTimeout = 2000

/** A script call. */
export interface ScriptCall {
  readonly script: Script
  readonly keys: readonly string[]
  readonly args: readonly Argument[]
}

/** The outcome of a fetch that was pipelined behind the blocking call. */
export interface FetchOutcome {
  /** Whether the consumer should wake up. */
  readonly awake: boolean
  /** When the next delayed message is due, if there is one. */
  readonly due: number | undefined
}

/** Makes a fetch by passing its call to `send`. If `send` resolves to `undefined`, the script could not be run. */
export type Fetch = (send: (call: ScriptCall) => Promise<unknown>) => Promise<FetchOutcome>

export interface SleepOptions {
  /** When the next delayed message of the queue is due, if there is one. */
  readonly due: number | undefined
  /** Ends the sleep. */
  readonly signal: AbortSignal
  readonly fetch: Fetch
}

/** A consumer that sleeps until there is something on its queue. */
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
  /** The wake lists that the blocking call waits for. */
  #watchedLists: ReadonlySet<string> | undefined
  /** The consumer whose fetch is pipelined behind the blocking call. It wakes when that has a reply, and not before. */
  #pipelined: IdleConsumer | undefined
  #interrupted = false
  #poll: NodeJS.Timeout | undefined
  #closed = false

  constructor(keys: Keys, commands: CommandConnection, blocking: CommandConnection) {
    this.#commands = commands
    this.#blocking = blocking
    this.#control = keys.control(uuid())
  }

  /** Sleeps until there may be something to do on a queue. A wake-up may turn out to be needless. */
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

  /** Wakes all consumers of a queue. */
  wake(queue: QueueKeys): void {
    for (const consumer of [...this.#idle]) if (consumer.queue === queue) this.#wake(consumer)
  }

  /** Ends the blocking call if no consumer sleeps any more. */
  stopIfIdle(): void {
    if (this.#idle.size === 0 && this.#watchedLists) this.#interrupt()
  }

  close(): void {
    this.#closed = true
    for (const consumer of [...this.#idle]) consumer.wake()
    this.#blocking.close()
  }

  // — Waiting for tokens —————————————————————————————————————————————————————————————————————————————————

  /** Ensures that the blocking call waits for this queue, too. */
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

  /** Wakes a consumer that stops, whether Redis replies or not. */
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
    // The blocking call ends as soon as the token is pushed, unless its connection was silently dropped on the way.
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
      // The poll continues in the meantime, and lets the worker know when Redis is unreachable. This pause keeps the
      // process alive for the sleeping consumers.
      await pause(backoff(failures - 1, { factor: 20, max: 1000 }))
      // Its fetch may have been executed and the reply lost: it has to fetch again.
      pipelined?.wake()
    }
    this.#watchedLists = undefined
  }

  /** @returns The wake list that had a token. */
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

  /** @param pipelined The consumer whose fetch was already made. */
  #onToken(wakeList: string, pipelined: IdleConsumer | undefined): void {
    if (wakeList === this.#control || wakeList === pipelined?.queue.wake) return
    for (const consumer of this.#idle) if (consumer.queue.wake === wakeList) return consumer.wake()
    // No consumer of this process sleeps on that queue any more; one of another process may.
    this.#commands.run(script('return-token'), [wakeList], []).catch(() => {})
  }

  // — Timers and the poll ————————————————————————————————————————————————————————————————————————————————

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
    // The poll will report a later one again.
    consumer.timer = delay <= 2 * pollInterval ? startTimer(wake, Math.max(1, Math.ceil(delay))).unref() : undefined
    if (!consumer.timer) consumer.due = Number.POSITIVE_INFINITY
  }

  #schedulePoll(): void {
    clearTimeout(this.#poll)
    this.#poll = startTimer(() => void this.#pollQueues(), pollInterval).unref()
  }

  async #pollQueues(): Promise<void> {
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
      // Their next calls fail, too, which lets the worker know that Redis is unreachable.
      for (const consumer of [...this.#idle]) this.#wake(consumer)
    }
    if (this.#idle.size > 0 && !this.#closed) this.#schedulePoll()
  }
}

/** Makes a blocking call and, in the same write, a script call that Redis runs as soon as the first one ends. */
async function blockThen(
  client: Client,
  lists: readonly string[],
  { script: { sha }, keys, args }: ScriptCall,
): Promise<[list: string | undefined, answer: unknown]> {
  const pipeline = client.pipeline().blpop([...lists], block.seconds)
  const results = await pipeline.callBuffer('EVALSHA', sha, keys.length, ...keys, ...args).exec()
  const [[blockError, popped] = [], [scriptError, answer] = []] = results ?? []
  if (blockError) throw blockError
  // For example, Redis may have forgotten the script. The caller then fetches by itself.
  return [(popped as [string, string] | null)?.[0], scriptError ? undefined : answer]
}
