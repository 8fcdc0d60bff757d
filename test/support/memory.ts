/** A MemoryBroker with an inline worker, which most behaviour tests use. */
import type { Test } from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { actor } from '../../lib/actor.js'
import type { ActorOptions } from '../../lib/actor-options.js'
import { Worker } from '../../lib/worker/worker.js'
import type { WorkerOptions } from '../../lib/worker/worker-options.js'
import { captureLog } from './log.js'

export interface Stage {
  broker: MemoryBroker
  log: ReturnType<typeof captureLog>
  /** Declares an actor on the broker. */
  actor: typeof actor
  /** Starts a worker. Call it when all actors are declared. */
  work(options?: WorkerOptions): Promise<Worker>
}

/** Everything is stopped and closed when the test ends. */
export function stage(t: Test, broker = new MemoryBroker()): Stage {
  const log = captureLog()
  const workers: Worker[] = []
  t.teardown(async () => {
    for (const worker of workers) await worker.stop({ timeout: 0 })
    await broker.close()
  })
  return {
    broker,
    log,
    actor: ((fn: () => void, options?: ActorOptions) => actor<typeof fn>(fn, { broker, ...options })) as typeof actor,
    async work(options) {
      const worker = new Worker(broker, { threads: 0, ...options })
      workers.push(worker)
      await worker.start()
      return worker
    },
  }
}

/** A promise and its handles, to hold an actor at a point until the test lets it go. */
export function gate<T = void>(): { opened: Promise<T>; open: (value: T) => void } {
  let open: (value: T) => void = () => {}
  const opened = new Promise<T>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

/** Waits until something holds. */
export async function until(condition: () => boolean | Promise<boolean>, what = 'the condition'): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Timed out after 20 s waiting for ${what}.`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** The error that `t.rejects` expects when an actor failed permanently. */
export function failure(type: string, reason: string | RegExp = /.*/): { name: string; message: RegExp } {
  const text = typeof reason === 'string' ? `${reason}$` : reason.source
  return { name: 'ResultFailure', message: new RegExp(`^actor raised ${type}: .*${text}`) }
}
