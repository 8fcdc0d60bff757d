/** What tests of batches have in common: their broker, workers on it, and lists of arguments. */
import { type Test, t } from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { setBroker } from '../../lib/default-broker.js'
import { Worker } from '../../lib/worker/worker.js'
import type { WorkerOptions } from '../../lib/worker/worker-options.js'
import { captureLog } from './log.js'

export const broker = new MemoryBroker()
setBroker(broker)
captureLog()
t.teardown(() => broker.close())

export const modules = [new URL('./actors/batches.ts', import.meta.url).href]
export const waitOptions = { timeout: '30s' } as const
export const lists = (...items: number[]): [number][] => items.map((item) => [item])

/** Starts a worker, which is stopped after the test; then the queues are empty. */
export async function work(t: Test, options: WorkerOptions): Promise<Worker> {
  const worker = new Worker(broker, { concurrency: 2, modules, ...options })
  t.teardown(async () => {
    await worker.stop({ timeout: 0 })
    await broker.flushAll()
  })
  await worker.start()
  return worker
}
