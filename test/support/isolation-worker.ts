/** A worker whose threads are lost in ways that don't show which message caused it, and a count of started actors. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { setBroker } from '../../lib/default-broker.js'
import { Worker } from '../../lib/worker/worker.js'
import type { WorkerOptions } from '../../lib/worker/worker-options.js'
import { TimeLimit } from '../../middleware/time-limit.js'
import * as actors from './actors/isolation.js'
import { captureLog } from './log.js'

export const broker = new MemoryBroker()
broker.use(new TimeLimit({ grace: 300 }))
setBroker(broker)
export const log = captureLog()
t.teardown(() => broker.close())

export const waitOptions = { timeout: '25s' } as const
const modules = [new URL('./actors/isolation.ts', import.meta.url)]
const starts = join(t.testdir(), 'starts')
process.env.STARTS = starts

export async function work(t: Test, options: WorkerOptions = {}): Promise<Worker> {
  log.length = 0
  writeFileSync(starts, '')
  const worker = new Worker(broker, { threads: 1, concurrency: 4, modules, ...options })
  t.teardown(async () => {
    await worker.stop({ timeout: 0 })
    await broker.flushAll()
  })
  await worker.start()
  // No thread is new any more: work that ends later may be left over.
  await (await actors.innocent.send(1)).result(waitOptions)
  return worker
}

/** How often such an actor started, on all threads. */
export const began = (name: string): number => readFileSync(starts, 'utf8').split(`${name}\n`).length - 1
