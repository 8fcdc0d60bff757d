/**
 * The default broker of a worker thread that can't create the worker's broker itself. Each send, and each wait for a
 * result, goes through the main thread. Plugins that the thread's modules add are called here. Queues can't be consumed
 * or inspected through it.
 */
import { Broker } from '../../broker.js'
import type { Consumer, DeadLetterPage, QueueStats } from '../../consumer.js'
import type { Duration } from '../../duration.js'
import { BrokerError } from '../../errors.js'
import { mainThread } from '../../main-thread.js'
import type { Message } from '../../message.js'
import type { Middleware } from '../../middleware.js'
import { ResultBackend, type StoredResult } from '../../results/backend.js'
import type { StateBackend } from '../../state/backend.js'
import { MainThreadState } from '../../state/main-thread-state.js'

export class MainThreadBroker extends Broker {
  protected override readonly reachesThreads = false

  constructor() {
    super({ middleware: [{ results: new MainThreadResults() }] })
  }

  /**
   * A module may add a plugin before or after one of the default chain, which this broker doesn't have: then it is
   * appended.
   */
  override use(plugin: Middleware, where: Parameters<Broker['use']>[1] = {}): this {
    const beside = where.before ?? where.after
    const found = beside === undefined || this.middleware.some((one) => one instanceof beside)
    return super.use(plugin, found ? where : undefined)
  }

  protected override makeState(): StateBackend {
    return new MainThreadState()
  }

  protected store(): Promise<void> {
    throw onlyOnMainThread()
  }

  protected makeConsumer(): Consumer {
    throw onlyOnMainThread()
  }

  protected readStats(): Promise<QueueStats> {
    throw onlyOnMainThread()
  }

  protected clear(): Promise<void> {
    throw onlyOnMainThread()
  }

  protected readDeadLetters(): Promise<DeadLetterPage> {
    throw onlyOnMainThread()
  }

  protected takeDeadLetter(): Promise<boolean> {
    throw onlyOnMainThread()
  }

  protected async closeStore(): Promise<void> {}
}

class MainThreadResults extends ResultBackend {
  override get(message: Message, { timeout }: { timeout?: Duration | undefined } = {}): Promise<unknown> {
    const main = mainThread()
    if (!main) throw onlyOnMainThread()
    return main.call('results', '', [message.encode(), timeout])
  }

  protected put(): Promise<void> {
    throw onlyOnMainThread()
  }

  protected peek(): Promise<StoredResult | undefined> {
    throw onlyOnMainThread()
  }

  protected wait(): Promise<StoredResult | undefined> {
    throw onlyOnMainThread()
  }
}

function onlyOnMainThread(): BrokerError {
  return new BrokerError('This is only possible on the main thread, which has the broker.')
}
