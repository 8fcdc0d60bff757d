/**
 * dramatis, on the broker of DRAMATIS_URL, with this many threads (0: inline), each of which runs up to
 * `concurrency` messages at once. With BENCH_WORK each message keeps a processor busy (see burn.js).
 *
 * $ DRAMATIS_URL=sqlite:/tmp/bench.db node bench/contenders/dramatis.js 0
 */
import { isMainThread } from 'node:worker_threads'
import { actor, getBroker, Worker } from '../../dist/lib/index.js'
import { burn } from './burn.js'
import { messages, meter, payload, report, timeSends, timeStarts } from './report.js'

let ran = 0
let onRan = () => {}
const noop = actor(async function noop() {
  burn()
  ran++
  onRan()
})

if (isMainThread) {
  process.env.DRAMATIS_LOG_LEVEL ??= 'warn'
  const broker = getBroker()
  const enqueued = await timeSends(() => noop.send(payload))
  const worker = new Worker(broker, {
    threads: Number(process.argv[2] ?? 0),
    concurrency: Number(process.argv[3] ?? 100),
    modules: [import.meta.url],
  })
  let stop = meter()
  const finished = new Promise((resolve) => {
    onRan = () => ran === messages && resolve()
  })
  await worker.start()
  // Threads take some time to load, which isn't measured.
  if (worker.threads > 0) stop = meter()
  else await finished
  await broker.join('default')
  const processed = stop()
  let latency
  if (worker.threads === 0 && process.env.BENCH_LATENCY) {
    latency = await timeStarts(
      () => noop.send(payload),
      (started) => {
        onRan = started
      },
    )
  }
  await worker.stop()
  await broker.close()
  await report({ enqueued, processed, latency })
}
