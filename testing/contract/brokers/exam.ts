/**
 * Support for the contract tests: each test gets new brokers, and waits for conditions instead of sleeping.
 */
import type { Broker, BrokerOptions } from '../../../lib/broker.js'
import type { Consumer, Delivery } from '../../../lib/consumer.js'
import { Message } from '../../../lib/message.js'
import { ContractTest, type Teardowns, type TestFunction } from '../contract-test.js'
import { inTime } from '../waiting.js'

export { inTime, until } from '../waiting.js'

type Awaitable<T> = T | Promise<T>

/** Makes a broker on its own empty store. The test closes it; what else is to be done then is told to `t`. */
export type MakeBroker = (options: BrokerOptions, t: Teardowns) => Awaitable<Broker>

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
  | 'searching'

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

export class Exam {
  constructor(
    readonly test: TestFunction,
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
    this.#ask(title, this.capabilities.another ? [] : ['second process that reaches it'], answer)
  }

  /** Skips tests if the broker lacks one of these features. */
  needs(...features: Feature[]): Pick<Exam, 'ask' | 'askTwo'> {
    const { capabilities } = this
    const missing = features.filter((feature) => capabilities.lacks?.includes(feature))
    const another = capabilities.another ? [] : ['second process that reaches it']
    return {
      ask: (title, answer) => this.#ask(title, missing, answer),
      askTwo: (title, answer) => this.#ask(title, [...another, ...missing], answer),
    }
  }

  #ask(title: string, missing: readonly string[], answer: (question: Question) => Promise<void>): void {
    ContractTest.register(this.test, `${this.name}: ${title}`, missing, (t) => answer(new Question(this, t)))
  }
}

export class Question {
  constructor(
    readonly exam: Exam,
    readonly t: ContractTest,
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
