/**
 * The default broker of a worker thread, when the worker has a broker that the thread can't make for itself: every
 * send and every wait for a result goes through the main thread. Queues can't be consumed or looked at from here.
 */
import { Broker } from '../broker.js'
import type { Consumer, DeadLetterPage, QueueStats } from '../consumer.js'
import { BrokerError } from '../errors.js'
import { mainThread } from '../main-thread.js'
import { Message } from '../message.js'
import { ResultBackend, type StoredResult } from '../results/backend.js'
import type { Duration } from '../time.js'

export class MainThreadBroker extends Broker {
  protected override readonly reachesThreads = false

  constructor() {
    super({ middleware: [{ results: new MainThreadResults() }] })
  }

  protected store(): Promise<void> {
    throw onlyThere()
  }

  protected makeConsumer(): Consumer {
    throw onlyThere()
  }

  protected readStats(): Promise<QueueStats> {
    throw onlyThere()
  }

  protected clear(): Promise<void> {
    throw onlyThere()
  }

  protected readDeadLetters(): Promise<DeadLetterPage> {
    throw onlyThere()
  }

  protected takeDeadLetter(): Promise<boolean> {
    throw onlyThere()
  }

  protected async closeStore(): Promise<void> {}
}

class MainThreadResults extends ResultBackend {
  override get(message: Message, { timeout }: { timeout?: Duration } = {}): Promise<unknown> {
    const main = mainThread()
    if (!main) throw onlyThere()
    return main.call('results', 'get', [message.encode(), timeout])
  }

  protected put(): Promise<void> {
    throw onlyThere()
  }

  protected peek(): Promise<StoredResult | undefined> {
    throw onlyThere()
  }

  protected wait(): Promise<StoredResult | undefined> {
    throw onlyThere()
  }
}

/** What the main thread does for such brokers. */
export const forThreads = {
  /** Stores what a thread sent: bodies, each with its delay. */
  async enqueue(broker: Broker, entries: readonly (readonly [string, number | undefined])[]): Promise<void> {
    await broker.enqueueEntries(entries.map(([body, delay]) => ({ message: Message.decode(body), delay })))
  },

  /** Waits for a result on behalf of a thread. */
  async result(broker: Broker, body: string, timeout: Duration | undefined): Promise<unknown> {
    if (!broker.results)
      throw new BrokerError('The broker of this worker keeps no results; add the Results middleware.')
    return broker.results.get(Message.decode(body), { timeout })
  },
}

function onlyThere(): BrokerError {
  return new BrokerError('This can only be done on the main thread, where the broker is.')
}
