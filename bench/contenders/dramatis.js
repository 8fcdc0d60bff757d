/**
 * dramatis, on the broker that DRAMATIS_URL names, with so many threads (0: inline).
 *
 * $ DRAMATIS_URL=sqlite:/tmp/bench.db node bench/contenders/dramatis.js 0
 */
import { isMainThread } from 'node:worker_threads'
import { actor, getBroker, Worker } from '../../dist/lib/index.js'
import { payload, rate, report, timeSends } from './report.js'

const noop = actor(function noop() {})

if (isMainThread) {
  process.env.DRAMATIS_LOG_LEVEL ??= 'warn'
  const broker = getBroker()
  const enqueued = await timeSends(() => noop.send(payload))
  const worker = new Worker(broker, {
    threads: Number(process.argv[2] ?? 0),
    concurrency: 100,
    modules: [import.meta.url],
  })
  const booted = worker.start()
  // Threads take a moment to load; what is measured is the work.
  if (worker.threads > 0) await booted
  const start = performance.now()
  await broker.join('default')
  const processed = rate(start)
  await worker.stop()
  await broker.close()
  await report({ enqueued, processed })
}
