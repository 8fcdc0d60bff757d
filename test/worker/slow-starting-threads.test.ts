import t from 'tap'
import { noteMainThreadStart, serveTimeout } from '../../lib/worker/threads/thread-loading.js'

t.test('a thread is waited for as long as the way to runWorker() takes on the main thread, and more', async (t) => {
  t.equal(serveTimeout(), 30_000)
  noteMainThreadStart(400)
  t.equal(serveTimeout(), 30_000)
  noteMainThreadStart(40_000)
  t.equal(serveTimeout(), 120_000)
  noteMainThreadStart(86_400_000)
  t.equal(serveTimeout(), 600_000, 'a process that has long been running may never have been on its way')
})
