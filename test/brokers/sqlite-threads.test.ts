/** Each thread has its own connection, and may be terminated at any time. */
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import { inTime, nameOf, note, take } from '../../testing/contract/brokers/exam.js'
import { Child } from '../support/processes.js'
import { makePath } from '../support/sqlite-files.js'

t.test('a thread sends; terminated in the middle of a transaction, it leaves no lock behind', async (t) => {
  const path = makePath(t)
  const broker = new SQLiteBroker({ path, middleware: [] })
  t.teardown(() => broker.close())
  const consumer = broker.consume('exam')
  const waiting = consumer.take(1)

  // Node 20 doesn't use the TypeScript loader for the first module of a thread.
  const script = new URL('../support/sqlite-thread.ts', import.meta.url).href
  const start = `import('tsx/esm/api').then(({ register }) => { register(); return import('${script}') })`
  const thread = new Worker(start, { eval: true, execArgv: [], workerData: { path } })
  const inTheMiddle = new Promise<void>((resolve, reject) => {
    thread.on('message', (message) => message === 'in the middle' && resolve())
    thread.on('error', reject)
  })
  await inTime(inTheMiddle, 'the transaction')
  await thread.terminate()

  await broker.enqueue(note('after'))
  const first = await inTime(waiting, 'what the thread sent')
  t.same([...first, ...(await take(consumer, 2 - first.length))].map(nameOf), ['from a thread', 'after'])
})

t.test('threads may be terminated, and the process may exit, during any use of the database', async (t) => {
  const child = new Child(t, 'sqlite-terminations.ts', [makePath(t)])
  await child.ended()
  t.same(child.lines, ['ok true 0'], 'no lock and no partial transaction is left')
  t.equal(child.process.signalCode, null, 'no native module ended the process')
  t.equal(child.process.exitCode, 0)
})
