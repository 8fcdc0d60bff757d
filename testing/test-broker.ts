/** `testBroker()`: a broker in memory for tests, with a clock to move, assertions, and faults to switch on. */
import type { Actor } from '../lib/actor-contract.js'
import { type BrokerOptions, brokerOptionNames } from '../lib/broker.js'
import { refuseUnknown } from '../lib/checks.js'
import { boundBroker } from '../lib/declarations.js'
import { peekBroker, setBroker } from '../lib/default-broker.js'
import type { Duration } from '../lib/duration.js'
import { InvalidOption } from '../lib/errors.js'
import type { AnyActor } from '../lib/middleware.js'
import { flag, count as readCount } from '../lib/options.js'
import { parseDuration, showDuration } from '../lib/time.js'
import { positive } from '../lib/worker/worker-options.js'
import { Results } from '../middleware/results.js'
import { failure } from './failure.js'
import type { Faults } from './faults.js'
import { FaultyBroker } from './faulty-broker.js'
import { checkEnd, type End, type EndedDelivery, type SentMessage } from './history.js'
import { type Left, showLeft } from './left.js'
import { type AnyHandle, type ArgumentPatterns, checkActor, checkArguments, showCall } from './matching.js'
import { ResultsOnDemand } from './results-on-demand.js'
import { runAll } from './run-all.js'
import { SingleRuns } from './single-run.js'
import type { TestConsumer } from './test-consumer.js'
import { WorkerOnDemand } from './worker-on-demand.js'

/** Options of `testBroker()`, besides those of every broker. */
export interface TestBrokerOptions extends BrokerOptions {
  /**
   * How many messages its worker runs at once. With 1 they run in their order, one after the other.
   * @default 8
   */
  concurrency?: number | undefined
  /**
   * Whether it is the default broker until it is closed. Without it, give it to the actors: `actor(fn, { broker })`.
   * @default true
   */
  setDefault?: boolean | undefined
}

/**
 * Makes a broker for a test: a `MemoryBroker` that is the default broker until it is closed, and whose inline worker runs
 * messages only when the test asks for it: in `drain`, `waitFor`, `advance`, `join`, and while a result is awaited.
 *
 * Its errors are AssertionErrors of `node:assert`, which every test runner shows.
 *
 * @example
 * const broker = testBroker()
 * await signUp('ada@example.com')
 * await broker.assertSent(sendEmail, ['ada@example.com'])
 * await broker.drain()
 * await broker.close()
 */
export function testBroker(options: TestBrokerOptions = {}): TestBroker {
  return new TestBroker(options)
}

/** The broker that `testBroker()` makes. */
export class TestBroker extends FaultyBroker {
  /** Faults to switch on: duplicates, another order, a lost connection, a lost acknowledgement. */
  readonly faults: Faults = this.switches
  readonly #worker: WorkerOnDemand
  readonly #singleRuns: SingleRuns
  /** The default broker before this one. */
  readonly #previous = peekBroker()

  /** @throws {InvalidOption} */
  constructor(options: TestBrokerOptions = {}) {
    refuseUnknown(options, [...brokerOptionNames, 'concurrency', 'setDefault'], 'a test broker')
    const { concurrency = 8, setDefault = true, ...rest } = options
    super(rest)
    this.#worker = new WorkerOnDemand(this, positive(concurrency, 'concurrency'))
    this.use({
      afterWorkerBoot: (worker) => this.#worker.afterWorkerBoot(worker),
      afterWorkerShutdown: (worker) => this.#worker.afterWorkerShutdown(worker),
    })
    this.#singleRuns = new SingleRuns(this, this.conditions, this.history)
    if (rest.middleware === undefined) {
      const backend = new ResultsOnDemand({ clock: this.clock }, (wait) => this.#worker.during(wait))
      this.use(new Results({ backend }))
    }
    if (flag(setDefault, 'setDefault')) setBroker(this)
  }

  protected override makeConsumer(queueName: string): TestConsumer {
    const consumer = super.makeConsumer(queueName)
    this.#worker.adopt(consumer)
    return consumer
  }

  // — What was sent ——————————————————————————————————————————————————————————————————————————————————————

  /** Every message that was sent, oldest first: by the code under test, by actors, and as a callback. Not the retries. */
  get sent(): readonly SentMessage[] {
    return this.history.sent
  }

  /**
   * Asserts that an actor was sent a message, and waits for it.
   *
   * @param args What its arguments must match: objects may lack properties, `undefined` is anything, a regular
   * expression matches a text, and arguments at the end may be left out.
   * @param options.within How long to wait, in real time. @default '1s'
   * @param options.count How many there must be, no more and no less. @default at least one
   * @returns The messages that match.
   * @throws {AssertionError} which lists what was sent. {BrokerClosed}
   */
  async assertSent<H extends AnyHandle>(
    actor: H,
    args?: ArgumentPatterns<H>,
    options: { within?: Duration | undefined; count?: number | undefined } = {},
  ): Promise<readonly SentMessage[]> {
    refuseUnknown(options, ['within', 'count'], 'assertSent()')
    checkActor(actor)
    checkArguments(args)
    const { within = 1000, count } = options
    const timeout = parseDuration(within, 'within')
    const least = count === undefined ? 1 : readCount(count, 'count')
    const found = await this.conditions.until(() => {
      const sent = this.history.sentTo(actor, args)
      return sent.length >= least ? sent : undefined
    }, timeout)
    if (found && (count === undefined || found.length === count)) return found
    const actual = this.history.sentTo(actor, args).length
    const times = count === undefined ? 'a message' : `${count} ${count === 1 ? 'message' : 'messages'}`
    const got = actual === 0 ? 'none was sent' : `${actual} were sent`
    throw failure(
      `Expected ${times} as ${showCall(actor.actorName, args)} within ${showDuration(timeout)}; ${got}. ${this.history.showSent()}`,
      { method: this.assertSent, expected: [args ?? []], actual: this.#argumentsSentTo(actor) },
    )
  }

  /**
   * Asserts that an actor was sent no message until now.
   * @param args What its arguments would match, as in `assertSent`.
   * @throws {AssertionError} which lists what was sent.
   */
  refuteSent<H extends AnyHandle>(actor: H, args?: ArgumentPatterns<H>): void {
    checkActor(actor)
    checkArguments(args)
    const { length } = this.history.sentTo(actor, args)
    if (length === 0) return
    const got = length === 1 ? 'one was' : `${length} were`
    throw failure(
      `Expected no message as ${showCall(actor.actorName, args)}; ${got} sent. ${this.history.showSent()}`,
      { method: this.refuteSent, expected: [], actual: this.#argumentsSentTo(actor) },
    )
  }

  #argumentsSentTo(actor: AnyHandle): unknown[] {
    return this.history.sentTo(actor).map(({ message }) => message.args)
  }

  // — Running ————————————————————————————————————————————————————————————————————————————————————————————

  /**
   * Runs one message through the whole chain: middleware, hooks and settlement. A retry or a callback is stored, and runs
   * when the test asks for it.
   *
   * @param options.attempt The number of the attempt, from 1: as if the ones before had failed. @default 1
   * @returns What the actor returned.
   * @throws What the actor threw, or why it did not run ({SkipMessage}, for example).
   */
  async perform<A extends readonly unknown[], R>(
    // biome-ignore lint/suspicious/noExplicitAny: the function may take what schemas make of the arguments
    actor: Actor<A, R, any>,
    args: Readonly<A>,
    { attempt = 1, ...rest }: { attempt?: number | undefined } = {},
  ): Promise<R> {
    refuseUnknown(rest, ['attempt'], 'perform()')
    this.assertOpen()
    positive(attempt, 'attempt')
    checkActor(actor)
    this.#checkOwner(actor)
    this.declareActor(actor)
    await this.#worker.start()
    const { queueName } = actor
    const options = attempt > 1 ? { retries: attempt - 1 } : {}
    const message = actor.messageWithOptions({ args, options } as never)
    this.history.ignore(message)
    const end = await this.#singleRuns.run(message.messageId, this.storeTaken(message), this.makeConsumer(queueName))
    const error = this.history.errorOf(end)
    if (error) throw error
    return end.result as R
  }

  #checkOwner(actor: AnyActor): void {
    if ((boundBroker(actor) ?? peekBroker()) === this) return
    throw new InvalidOption(
      `The actor "${actor.actorName}" belongs to another broker: give it this one, actor(fn, { broker }), or make this one the default.`,
      'actor',
    )
  }

  /**
   * Runs what is ready until a message of the actor has ended like this. Each call returns another end: the first that no
   * earlier call returned. It doesn't move the clock; `advance` and `drain` do.
   *
   * @param options.within How long to wait, in real time. @default '5s'
   * @throws {AssertionError} which lists what happened. {BrokerClosed}
   */
  async waitFor(actor: AnyHandle, end: End, options: { within?: Duration | undefined } = {}): Promise<EndedDelivery> {
    refuseUnknown(options, ['within'], 'waitFor()')
    checkActor(actor)
    checkEnd(end)
    const timeout = parseDuration(options.within ?? 5000, 'within')
    const take = (): EndedDelivery | undefined => this.history.take(actor, end)
    const found = await this.#worker.during(() => this.conditions.until(take, timeout))
    if (found) return found
    throw failure(
      `Expected a message of ${actor.actorName} to be ${end} within ${showDuration(timeout)}. ${this.history.showEnded(actor)}\n${this.#showLeft()}`,
      { method: this.waitFor, expected: end, actual: undefined },
    )
  }

  /**
   * Runs everything until nothing is left: what is ready, and what is delayed, retries included. The clock moves from one
   * delay to the next, and to the end of a batch that gathers, but not while an actor is running: one that waits for time to
   * pass needs `advance`.
   *
   * @param options.failOnDeadLetter Whether it throws if a message is dead-lettered. @default true
   * @param options.within How long it may take, in real time. @default '10s'
   * @throws {AssertionError} with the reason of each dead letter, and as `cause` what the actor threw; or if there is no
   * end, with what is left. {BrokerClosed}
   */
  async drain(options: { failOnDeadLetter?: boolean | undefined; within?: Duration | undefined } = {}): Promise<void> {
    refuseUnknown(options, ['failOnDeadLetter', 'within'], 'drain()')
    this.assertOpen()
    const { failOnDeadLetter = true, within = 10_000 } = options
    const timeout = parseDuration(within, 'within')
    const letters = this.history.deadLettered.length
    const { clock, conditions } = this
    const all = { clock, conditions, worker: this.#worker, left: () => this.#left }
    if (!(await this.#worker.during(() => runAll(all, timeout)))) {
      const text = `Expected drain() to be done within ${showDuration(timeout)}. ${this.#showLeft()}`
      throw failure(text, { method: this.drain, expected: undefined, actual: this.#left })
    }
    const dead = this.history.deadLettered.length - letters
    if (!failOnDeadLetter || dead === 0) return
    const was = dead === 1 ? '1 was' : `${dead} were`
    throw failure(
      `Expected every message to succeed; ${was} dead-lettered:\n${this.history.showDeadLetters(letters)}`,
      { method: this.drain, expected: 0, actual: dead, cause: this.history.causeOf(letters) },
    )
  }

  /** Moves the clock, and runs what is due by then; see `MemoryBroker.advance`. */
  override async advance(duration: Duration): Promise<void> {
    await this.#worker.during(() => super.advance(duration))
  }

  /** Runs what is ready until the queue is empty; see `Broker.join`. */
  override async join(queueName: string, options: { timeout?: Duration | undefined } = {}): Promise<void> {
    await this.#worker.during(() => super.join(queueName, options))
  }

  /** What is left in the queues of its actors. Messages for actors elsewhere stay where they are. */
  get #left(): Left {
    return this.leftIn(this.#worker.queues)
  }

  #showLeft(): string {
    return showLeft(this.#left, this.#worker.running, this.switches.connectionLost)
  }

  // — The end ————————————————————————————————————————————————————————————————————————————————————————————

  /**
   * Ends every wait with `BrokerClosed`, stops the worker, and makes the broker that was the default before it the
   * default again, unless that is closed or another one was set.
   */
  override async close(options: { timeout?: Duration | undefined } = {}): Promise<void> {
    this.switches.clear()
    this.conditions.close()
    await Promise.all([this.#worker.stop(), this.#singleRuns.stop()])
    await super.close(options)
    const previous = this.#previous
    if (previous && !previous.closed && peekBroker() === this) setBroker(previous)
  }

  /** Closes it: `await using broker = testBroker()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
