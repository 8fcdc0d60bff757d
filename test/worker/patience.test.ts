import t from 'tap'
import { noteArrival, patience } from '../../lib/worker/thread-loading.js'

t.test('a thread is waited for as long as the way to runWorker() takes on the main thread, and more', async (t) => {
  t.equal(patience(), 30_000)
  noteArrival(400)
  t.equal(patience(), 30_000)
  noteArrival(40_000)
  t.equal(patience(), 120_000)
  noteArrival(86_400_000)
  t.equal(patience(), 600_000, 'a process that has long been running may never have been on its way')
})
