/**
 * The ideal for work on two threads: two bare `worker_threads` that take the next piece from a counter in shared memory,
 * with no queue and no library.
 */
import { once } from 'node:events'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { burn } from './burn.js'
import { messages, meter, report } from './report.js'

if (isMainThread) {
  const counter = new Int32Array(new SharedArrayBuffer(4))
  const threads = [0, 1].map(() => new Worker(new URL(import.meta.url), { workerData: counter }))
  await Promise.all(threads.map((thread) => once(thread, 'message')))
  const stop = meter()
  for (const thread of threads) thread.postMessage('go')
  await Promise.all(threads.map((thread) => once(thread, 'exit')))
  await report({ processed: stop() })
} else {
  const { parentPort } = await import('node:worker_threads')
  parentPort.once('message', () => {
    while (Atomics.add(workerData, 0, 1) < messages) burn()
  })
  parentPort.postMessage('ready')
}
