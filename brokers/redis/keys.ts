/**
 * The keys in Redis: Dramatiq's, unchanged, and our additional ones. `<ns>` is the namespace, by default `dramatiq`;
 * `<q>` a queue; `<w>` the id of a worker, a UUID per broker object.
 *
 * Dramatiq's:
 *
 * | key                       | type       | content                                                         |
 * | ------------------------- | ---------- | --------------------------------------------------------------- |
 * | `<ns>:<q>`                | list       | ids of the ready messages of priority 0                         |
 * | `<ns>:<q>.msgs`           | hash       | id → body of ready and unacked messages of all priorities       |
 * | `<ns>:<q>.DQ` `.DQ.msgs`  | list, hash | delayed by Python, until one of our workers takes them over     |
 * | `<ns>:<q>.XQ`             | sorted set | ids of dead letters, by the time they were dead-lettered (ms)   |
 * | `<ns>:<q>.XQ.msgs`        | hash       | id → body of dead letters                                       |
 * | `<ns>:__acks__.<w>.<q>`   | set        | ids of a worker's unacked messages (also of `<q>.DQ`)           |
 * | `<ns>:__heartbeats__`     | sorted set | workers, by the time of their last heartbeat (ms)               |
 *
 * Ours (the name of a queue can't contain a colon, so none of these can be mistaken for a queue):
 *
 * | key                       | type       | content                                                         |
 * | ------------------------- | ---------- | --------------------------------------------------------------- |
 * | `<ns>:<q>:1` … `:9`       | list       | ids of the ready messages of that priority                      |
 * | `<ns>:<q>:delayed`        | sorted set | ids of delayed messages, by their due time (ms)                 |
 * | `<ns>:<q>:delayed.msgs`   | hash       | id → the priority, one digit, followed by the body              |
 * | `<ns>:<q>:taken`          | set        | ids of unacked messages of our workers (1)                      |
 * | `<ns>:<q>:deliveries`     | hash       | id → number of earlier deliveries, if there were any            |
 * | `<ns>:<q>:begun`          | set        | ids of redelivered messages whose actor has begun               |
 * | `<ns>:<q>:dead`           | hash       | id → reason and traceback of a dead letter (JSON)               |
 * | `<ns>:<q>:wake`           | list       | a token while there is something to do; idle workers block on it |
 * | `<ns>:wake:<w>`           | list       | a token that interrupts the blocking call of one process        |
 * | `<ns>:connection:<w>`     | string     | run id of the server and id of the worker's connection there (2) |
 * | `<ns>:sent:<uuid>`        | string     | the mark that one call stored its messages (3)                  |
 * | `<ns>:state:<key>`        | string, set | the state, see `lib/state/backend.ts`; also a channel           |
 * | `<ns>:state`              | sorted set | the keys of the state that can be listed                        |
 *
 * (1) An id that is in a ready list, too, was requeued by Python after one of our workers died.
 * (2) Renewed with each heartbeat.
 * (3) Kept for twice `enqueueTimeout`, or for 15 minutes if the call was retried. With an `enqueueTimeout` of over 30 s
 * the mark of a call that wasn't retried is removed as soon as the call has its reply.
 *
 * All of them begin with the namespace, so one with a hash tag, `{dramatiq}`, keeps them in one slot of a cluster.
 */
import { cancellationsKey } from '../../lib/cancellation/marks.js'
import { canonicalQueueName, delayQueueName } from '../../lib/queue-names.js'

/** A place where messages are stored: the three keys that `_store.lua` expects. */
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
  /** The name of Dramatiq's delay queue, and its keys. */
  readonly delayQueueName: string
  readonly delayQueue: string
  readonly delayQueueMessages: string
  readonly dead: string
  readonly deadMessages: string
  readonly deadReasons: string
  /** The ready lists from priority 9 down to 0, the order that the scripts expect. */
  readonly lists: readonly string[]
  readonly #destinations: readonly Destination[]
  readonly delayedDestination: Destination
  /** The destination in Dramatiq's delay queue. */
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

  /** The destination of ready messages of that priority. */
  ready(priority: number): Destination {
    return this.#destinations[9 - priority] as Destination
  }

  /** All keys of the queue except the ack sets, which belong to workers. */
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
  /** The prefix of all ack sets. */
  readonly acksPrefix: string
  /** The set of cancelled ids in the state. */
  readonly cancellations: string
  readonly #queues = new Map<string, QueueKeys>()
  readonly #isCluster: boolean

  constructor(namespace: string, { isCluster = false } = {}) {
    this.namespace = namespace
    this.#isCluster = isCluster
    this.heartbeats = `${namespace}:__heartbeats__`
    this.acksPrefix = `${namespace}:__acks__.`
    this.cancellations = this.state(cancellationsKey)
  }

  /** The keys of a queue, given any of its names. */
  queue(name: string): QueueKeys {
    const known = this.#queues.get(name)
    if (known) return known
    const queueName = canonicalQueueName(name)
    const keys = this.#queues.get(queueName) ?? new QueueKeys(this.namespace, queueName)
    this.#queues.set(queueName, keys)
    this.#queues.set(name, keys)
    return keys
  }

  /** The set of a worker's unacked messages of a queue, or of a queue's `.DQ`. */
  acks(worker: string, queueName: string): string {
    return `${this.acksPrefix}${worker}.${queueName}`
  }

  /** The mark of a call that stores messages. */
  sent(call: string): string {
    return `${this.namespace}:sent:${call}`
  }

  /** A key of the state, and the channel of its watchers. */
  state(key: string): string {
    return `${this.namespace}:state:${key}`
  }

  /**
   * A key that is Dramatiq's, of a barrier. In a cluster, which Dramatiq doesn't support, it is one of the others: all
   * keys of a step must be in one slot.
   */
  barrier(key: string): string {
    return this.#isCluster ? this.state(key) : key
  }

  /** The index of those keys of the state that can be listed. */
  get listedState(): string {
    return `${this.namespace}:state`
  }

  /** The identity of a worker's connection. */
  connection(worker: string): string {
    return `${this.namespace}:connection:${worker}`
  }

  /** The list whose token interrupts the blocking call of one process. */
  control(worker: string): string {
    return `${this.namespace}:wake:${worker}`
  }
}
