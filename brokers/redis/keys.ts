/**
 * The keys in Redis: Dramatiq's, exactly as it has them, and ours beside them. `<ns>` is the namespace, `dramatiq`
 * unless it is changed; `<q>` a queue; `<w>` the id of a worker, a uuid a broker object.
 *
 * Dramatiq's:
 *
 * | key                       | type       | content                                                         |
 * | ------------------------- | ---------- | --------------------------------------------------------------- |
 * | `<ns>:<q>`                | list       | ids of the messages that are ready, of priority 0               |
 * | `<ns>:<q>.msgs`           | hash       | id → body, of what is ready or in hand, whatever its priority   |
 * | `<ns>:<q>.DQ` `.DQ.msgs`  | list, hash | what Python delayed, until one of our workers takes it over     |
 * | `<ns>:<q>.XQ`             | sorted set | ids of dead letters, by the time they were given up (ms)        |
 * | `<ns>:<q>.XQ.msgs`        | hash       | id → body of dead letters                                       |
 * | `<ns>:__acks__.<w>.<q>`   | set        | ids in the hands of a worker (also of `<q>.DQ`)                 |
 * | `<ns>:__heartbeats__`     | sorted set | workers, by when they were last heard of (ms)                   |
 *
 * Ours (a colon can't be part of a queue's name, so none of these can be mistaken for a queue):
 *
 * | key                       | type       | content                                                         |
 * | ------------------------- | ---------- | --------------------------------------------------------------- |
 * | `<ns>:<q>:1` … `:9`       | list       | ids of the messages that are ready, of that priority            |
 * | `<ns>:<q>:delayed`        | sorted set | ids of delayed messages, by when they are due (ms)              |
 * | `<ns>:<q>:delayed.msgs`   | hash       | id → one digit, the priority, and the body                      |
 * | `<ns>:<q>:taken`          | set        | ids in the hands of our workers; one that lies in a list all the same was put back by Python for a dead one |
 * | `<ns>:<q>:deliveries`     | hash       | id → how often it was delivered before, where that isn't never  |
 * | `<ns>:<q>:begun`          | set        | ids delivered again whose actor has begun                       |
 * | `<ns>:<q>:dead`           | hash       | id → why a dead letter was given up (JSON)                      |
 * | `<ns>:<q>:wake`           | list       | a token while there is something to do; idle workers block on it |
 * | `<ns>:wake:<w>`           | list       | a token for one process, that its idle loop look around         |
 * | `<ns>:connection:<w>`     | string     | run id of the server, and there the id of the worker's connection; goes with its heartbeat |
 * | `<ns>:sent:<uuid>`        | string     | that one call stored its messages; kept for twice as long as it may be made again, 15 minutes when it was; where that is over a minute, until it is answered |
 *
 * Every one of them begins with the namespace, so a hash-tagged one, `{dramatiq}`, keeps them in one slot of a
 * cluster.
 */
import { canonicalQueueName, delayQueueName } from '../../lib/queue-names.js'

/** Where messages are put: three keys as `_store.lua` wants them. */
export interface Destination {
  readonly keys: readonly [queue: string, bodies: string, wake: string]
}

/** The keys of one queue. */
export class QueueKeys {
  readonly queueName: string
  readonly messages: string
  readonly delayed: string
  readonly delayedMessages: string
  readonly taken: string
  readonly deliveries: string
  readonly begun: string
  readonly wake: string
  /** Dramatiq's name for where it delays, and its keys. */
  readonly delayQueueName: string
  readonly delayQueue: string
  readonly delayQueueMessages: string
  readonly dead: string
  readonly deadMessages: string
  readonly deadReasons: string
  /** The ready lists, from priority 9 down to 0, as the scripts want them. */
  readonly lists: readonly string[]
  readonly #destinations: readonly Destination[]
  readonly delayedDestination: Destination
  /** Where Dramatiq delays. */
  readonly delayQueueDestination: Destination

  constructor(namespace: string, queueName: string) {
    const name = `${namespace}:${queueName}`
    this.queueName = queueName
    this.messages = `${name}.msgs`
    this.delayed = `${name}:delayed`
    this.delayedMessages = `${name}:delayed.msgs`
    this.taken = `${name}:taken`
    this.deliveries = `${name}:deliveries`
    this.begun = `${name}:begun`
    this.wake = `${name}:wake`
    this.delayQueueName = delayQueueName(queueName)
    this.delayQueue = `${name}.DQ`
    this.delayQueueMessages = `${name}.DQ.msgs`
    this.dead = `${name}.XQ`
    this.deadMessages = `${name}.XQ.msgs`
    this.deadReasons = `${name}:dead`
    this.lists = Array.from({ length: 10 }, (_, index) => (index === 9 ? name : `${name}:${9 - index}`))
    this.#destinations = this.lists.map((list) => ({ keys: [list, this.messages, this.wake] }))
    this.delayedDestination = { keys: [this.delayed, this.delayedMessages, this.wake] }
    this.delayQueueDestination = { keys: [this.delayQueue, this.delayQueueMessages, this.wake] }
  }

  /** Where messages of that priority wait, once they are ready. */
  ready(priority: number): Destination {
    return this.#destinations[9 - priority] as Destination
  }

  /** Everything of the queue but the ack sets, which belong to workers. */
  all(): string[] {
    return [
      ...this.lists,
      this.messages,
      this.delayed,
      this.delayedMessages,
      this.taken,
      this.deliveries,
      this.begun,
      this.wake,
      this.delayQueue,
      this.delayQueueMessages,
      this.dead,
      this.deadMessages,
      this.deadReasons,
    ]
  }
}

/** The keys of one namespace. */
export class Keys {
  readonly namespace: string
  readonly heartbeats: string
  /** What the names of all ack sets begin with. */
  readonly acksPrefix: string
  readonly #queues = new Map<string, QueueKeys>()

  constructor(namespace: string) {
    this.namespace = namespace
    this.heartbeats = `${namespace}:__heartbeats__`
    this.acksPrefix = `${namespace}:__acks__.`
  }

  /** The keys of a queue, by any of its names. */
  queue(name: string): QueueKeys {
    const known = this.#queues.get(name)
    if (known) return known
    const queueName = canonicalQueueName(name)
    const keys = this.#queues.get(queueName) ?? new QueueKeys(this.namespace, queueName)
    this.#queues.set(queueName, keys)
    this.#queues.set(name, keys)
    return keys
  }

  /** What a worker has in hand of a queue, or of a queue's `.DQ`. */
  acks(worker: string, queueName: string): string {
    return `${this.acksPrefix}${worker}.${queueName}`
  }

  /** The mark that a call of sends leaves. */
  sent(call: string): string {
    return `${this.namespace}:sent:${call}`
  }

  /** By which connection a worker is known to Redis. */
  connection(worker: string): string {
    return `${this.namespace}:connection:${worker}`
  }

  /** What wakes the idle loop of one process. */
  control(worker: string): string {
    return `${this.namespace}:wake:${worker}`
  }
}
