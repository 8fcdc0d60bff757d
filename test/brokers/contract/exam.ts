/**
 * Support for the contract tests: each test gets new brokers, and waits for conditions instead of sleeping.
 */
import { type Test, t } from 'tap'
import type { Broker, BrokerOptions } from '../../../lib/broker.js'
import type { Consumer, Delivery } from '../../../lib/consumer.js'
import { Message } from '../../../lib/message.js'

type Awaitable<T> = T | Promise<T>

/** Makes a broker on its own empty store. `test` is for teardowns. */
export type MakeBroker = (options: BrokerOptions, test: Test) => Awaitable<Broker>

/** Features that a broker may lack. Tests of them are skipped, with that as the reason. */
export type Feature =
  | 'priorities'
  | 'delivery counts'
  | 'uncounted requeue'
  | 'order after a requeue'
  | 'atomic batches'
  | 'atomic acknowledgement'
  | 'stats of delayed messages'
  | 'dead letters by id'

export interface Capabilities {
  /** The features that it lacks. */
  lacks?: readonly Feature[]
  /** Makes another broker on the store of `broker`, as in another process. Absent if no other process can reach it. */
  another?(broker: Broker, options: BrokerOptions): Awaitable<Broker>
  /**
   * Makes `broker` die as with `kill -9`: it settles nothing, sends no heartbeat, and closes nothing cleanly. Resolves
   * when its heartbeat counts as expired, so that the next `take` of another broker may requeue what it held.
   */
  crash?(broker: Broker): Awaitable<void>
}

/** After this time, in milliseconds, a wait fails. Only a broken broker reaches it. */
const patience = 15_000

export class Exam {
  constructor(
    readonly name: string,
    readonly make: MakeBroker,
    readonly capabilities: Capabilities,
  ) {}

  /** Runs one test, and closes its brokers after it. */
  ask(title: string, answer: (question: Question) => Promise<void>): void {
    this.#ask(title, [], answer)
  }

  /** Runs a test that needs a second broker on the same store. */
  askTwo(title: string, answer: (question: Question) => Promise<void>): void {
    this.#ask(title, this.capabilities.another ? [] : ['another process that reaches it'], answer)
  }

  /** Skips tests if the broker lacks one of these features. */
  needs(...features: Feature[]): Pick<Exam, 'ask' | 'askTwo'> {
    const { capabilities } = this
    const missing = features.filter((feature) => capabilities.lacks?.includes(feature))
    const another = capabilities.another ? [] : ['another process that reaches it']
    return {
      ask: (title, answer) => this.#ask(title, missing, answer),
      askTwo: (title, answer) => this.#ask(title, [...another, ...missing], answer),
    }
  }

  #ask(title: string, missing: readonly string[], answer: (question: Question) => Promise<void>): void {
    const skip = missing.length > 0 ? `${this.name} has no ${missing.join(', ')}` : false
    t.test(`${this.name}: ${title}`, { skip, timeout: 4 * patience }, (test) => answer(new Question(this, test)))
  }
}

export class Question {
  constructor(
    readonly exam: Exam,
    readonly t: Test,
  ) {}

  /** Opens a broker on an empty store, without middleware unless it is passed. */
  open = async (options: BrokerOptions = {}): Promise<Broker> => {
    const broker = await this.exam.make({ middleware: [], ...options }, this.t)
    this.t.teardown(() => broker.close())
    return broker
  }

  /** Opens a second broker on the store of the first. */
  openAnother = async (broker: Broker, options: BrokerOptions = {}): Promise<Broker> => {
    const { another } = this.exam.capabilities
    if (!another) throw new Error('This broker does not support a second one on its store.')
    const second = await another(broker, { middleware: [], ...options })
    this.t.teardown(() => second.close())
    return second
  }
}

export const queueName = 'exam'

/** A message whose only argument is its name. */
export function note(name: unknown, options: Record<string, unknown> = {}, queue = queueName): Message {
  return new Message({ queueName: queue, actorName: 'note', args: [name], options })
}

/** Messages named 1, 2, 3, … */
export function notes(count: number, options?: Record<string, unknown>): Message[] {
  return Array.from({ length: count }, (_, index) => note(index + 1, options))
}

/** A consumer that may hold all messages of a test. */
export function consume(broker: Broker, prefetch = 1000): Consumer {
  return broker.consume(queueName, { prefetch })
}

/** The name of the message in a delivery. */
export function nameOf(delivery: Pick<Delivery, 'body'>): unknown {
  return Message.decode(delivery.body).args[0]
}

/** Takes messages until there are `count`. */
export async function take(consumer: Consumer, count: number): Promise<Delivery[]> {
  const taken: Delivery[] = []
  while (taken.length < count) {
    const batch = await inTime(consumer.take(count - taken.length), `message ${taken.length + 1} of ${count}`)
    taken.push(...batch)
  }
  return taken
}

/** Takes one message. */
export async function takeOne(consumer: Consumer): Promise<Delivery> {
  return (await take(consumer, 1))[0] as Delivery
}

/** Waits for a promise that must settle, and keeps the process alive meanwhile. */
export async function inTime<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const never = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Timed out waiting for ${what}.`)), patience)
  })
  return Promise.race([promise, never]).finally(() => clearTimeout(timer))
}

/** Waits until something holds. */
export async function until(condition: () => Awaitable<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + patience
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Timed out waiting for ${what}.`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
