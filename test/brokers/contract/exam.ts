/**
 * How the exam is held: questions with a fresh broker each, and ways to wait for things instead of for time.
 */
import { type Test, t } from 'tap'
import type { Broker, BrokerOptions } from '../../../lib/broker.js'
import type { Consumer, Delivery } from '../../../lib/consumer.js'
import { Message } from '../../../lib/message.js'

type Awaitable<T> = T | Promise<T>

/** Gives a broker on an empty store of its own. `test` is there for teardowns. */
export type MakeBroker = (options: BrokerOptions, test: Test) => Awaitable<Broker>

/** What a technology may not be able to do; questions about it are skipped, with that as the reason. */
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
  /** What it can't do. */
  lacks?: readonly Feature[]
  /** Another broker on the store of `broker`, as another process would have it. Absent where nobody else can reach it. */
  another?(broker: Broker, options: BrokerOptions): Awaitable<Broker>
  /**
   * Lets `broker` die as `kill -9` would: it settles nothing, renews nothing, closes nothing in good order. Resolves
   * when its heartbeat counts as expired, so that the next `take` of another broker may recover what it held.
   */
  crash?(broker: Broker): Awaitable<void>
}

/** How long anything may take before it counts as never: only a broken broker waits that long. */
const patience = 15_000

export class Exam {
  constructor(
    readonly name: string,
    readonly make: MakeBroker,
    readonly capabilities: Capabilities,
  ) {}

  /** Asks one question, on brokers that are closed after it. */
  ask(title: string, answer: (question: Question) => Promise<void>): void {
    this.#ask(title, [], answer)
  }

  /** Asks a question that needs a second broker on the same store. */
  askTwo(title: string, answer: (question: Question) => Promise<void>): void {
    this.#ask(title, this.capabilities.another ? [] : ['another process that reaches it'], answer)
  }

  /** Asks only where the broker has these. */
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

  /** A broker on an empty store, with no middleware unless it is given. */
  open = async (options: BrokerOptions = {}): Promise<Broker> => {
    const broker = await this.exam.make({ middleware: [], ...options }, this.t)
    this.t.teardown(() => broker.close())
    return broker
  }

  /** A second broker on the store of the first. */
  openAnother = async (broker: Broker, options: BrokerOptions = {}): Promise<Broker> => {
    const { another } = this.exam.capabilities
    if (!another) throw new Error('This broker has no second one.')
    const second = await another(broker, { middleware: [], ...options })
    this.t.teardown(() => second.close())
    return second
  }
}

export const queueName = 'exam'

/** A message whose one argument names it. */
export function note(name: unknown, options: Record<string, unknown> = {}, queue = queueName): Message {
  return new Message({ queueName: queue, actorName: 'note', args: [name], options })
}

/** Messages named 1, 2, 3, … */
export function notes(count: number, options?: Record<string, unknown>): Message[] {
  return Array.from({ length: count }, (_, index) => note(index + 1, options))
}

/** A consumer that may hold all that a question sends. */
export function consume(broker: Broker, prefetch = 1000): Consumer {
  return broker.consume(queueName, { prefetch })
}

/** What the message in a delivery is named. */
export function nameOf(delivery: Pick<Delivery, 'body'>): unknown {
  return Message.decode(delivery.body).args[0]
}

/** Takes until it has `count`. */
export async function take(consumer: Consumer, count: number): Promise<Delivery[]> {
  const taken: Delivery[] = []
  while (taken.length < count) {
    const batch = await inTime(consumer.take(count - taken.length), `message ${taken.length + 1} of ${count}`)
    taken.push(...batch)
  }
  return taken
}

/** Takes one. */
export async function takeOne(consumer: Consumer): Promise<Delivery> {
  return (await take(consumer, 1))[0] as Delivery
}

/** The result of a promise that must settle. Keeps the process alive while it waits. */
export async function inTime<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const never = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited in vain for ${what}.`)), patience)
  })
  return Promise.race([promise, never]).finally(() => clearTimeout(timer))
}

/** Waits until something holds. */
export async function until(condition: () => Awaitable<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + patience
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Waited in vain for ${what}.`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
