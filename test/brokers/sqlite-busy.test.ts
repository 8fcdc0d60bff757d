/** Behaviour while another program keeps the file locked. */
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { loadDriver } from '../../brokers/sqlite/driver/driver.js'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import type { Duration } from '../../lib/duration.js'
import { ConnectionFailed, EnqueueTimeout } from '../../lib/errors.js'
import { nameOf, note, notes, take, takeOne } from '../../testing/contract/brokers/exam.js'
import { stepClock } from '../../testing/contract/step-clock.js'
import { makePath } from '../support/sqlite-files.js'

/** A connection of another program, in the middle of a transaction until the test ends it. */
function lock(t: Test, path: string): () => void {
  const database = loadDriver().open(path)
  database.exec('BEGIN IMMEDIATE')
  let locked = true
  const release = (): void => {
    if (locked) database.exec('ROLLBACK')
    if (locked) database.close()
    locked = false
  }
  t.teardown(release)
  return release
}

function open(t: Test, path: string, enqueueTimeout: Duration): SQLiteBroker {
  const broker = new SQLiteBroker({ path, middleware: [], enqueueTimeout })
  t.teardown(() => broker.close())
  return broker
}

t.test('a send is refused after enqueueTimeout, and is not stored later', async (t) => {
  const path = makePath(t)
  const broker = open(t, path, 100)
  await broker.enqueue(note('before'))
  const release = lock(t, path)
  const error = await broker.enqueue(note('refused')).catch((error: Error) => error)
  t.ok(error instanceof EnqueueTimeout)
  t.match(error, { timeout: 100, cause: { message: /is locked by another program/, cause: { message: /locked/ } } })
  t.ok((error as EnqueueTimeout).cause instanceof ConnectionFailed)
  release()
  await broker.enqueue(note('after'))
  t.same((await take(broker.consume('exam'), 2)).map(nameOf), ['before', 'after'])
})

t.test('a lock does not block the event loop, and waiting calls finish when it is released', async (t) => {
  const path = makePath(t)
  const broker = open(t, path, '1m')
  const consumer = broker.consume('exam')
  await broker.enqueueMany(notes(5))
  const [acked, resent, buried, returned] = await take(consumer, 4)
  if (!acked || !resent || !buried || !returned) return void t.fail()

  const release = lock(t, path)
  const pending = [
    consumer.ack(acked, []),
    consumer.ack(resent, [{ message: note('sent with it') }]),
    consumer.deadLetter(buried, { reason: 'bad' }, []),
    consumer.requeue(returned),
    broker.enqueue(note('patient')),
  ]
  let settled = false
  void Promise.all(pending).then(() => {
    settled = true
  })
  t.match(await broker.stats('exam'), { ready: 1, inFlight: 4 }, 'reading needs no lock')
  // Some turns of the event loop, in each of which it may try again.
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 2))
  t.notOk(settled)
  release()
  await Promise.all(pending)

  t.match(await broker.stats('exam'), { ready: 4, inFlight: 0, dead: 1 })
  t.same((await take(consumer, 4)).map(nameOf), [4, 5, 'sent with it', 'patient'])
})

t.test('the first use of a locked file waits for the lock', async (t) => {
  const path = makePath(t)
  const first = open(t, path, 100)
  const database = loadDriver().open(path)
  t.teardown(() => database.close())
  // As long as the file isn't in WAL mode, a transaction of another program even blocks readers.
  database.exec('CREATE TABLE t (a); DROP TABLE t; BEGIN EXCLUSIVE')
  await t.rejects(first.enqueue(note('refused')), EnqueueTimeout)
  const patient = open(t, path, '1m')
  const sent = patient.enqueue(note('patient'))
  database.exec('ROLLBACK')
  await sent
  t.equal(nameOf(await takeOne(patient.consume('exam'))), 'patient')
})

t.test('close waits for pending sends for up to enqueueTimeout, however long that is', async (t) => {
  const path = makePath(t)
  const broker = open(t, path, '30d')
  await broker.enqueue(note('before'))
  const release = lock(t, path)
  const sent = broker.enqueue(note('patient'))
  const closed = broker.close()
  const ended = closed.then(() => 'closed')
  t.equal(await Promise.race([ended, pause(100, 'waiting')]), 'waiting')
  release()
  await sent
  await closed
  t.same((await take(open(t, path, '5s').consume('exam'), 2)).map(nameOf), ['before', 'patient'])
})

t.test('a worker with a very long heartbeatTimeout writes no more often than others', async (t) => {
  const path = makePath(t)
  const broker = new SQLiteBroker({ path, middleware: [], heartbeatTimeout: '365d' })
  t.teardown(() => broker.close())
  const consumer = broker.consume('exam')
  await broker.enqueue(note('first'))
  await takeOne(consumer)
  const version = (): unknown => other.prepare('PRAGMA data_version').get()
  const other = loadDriver().open(path)
  t.teardown(() => other.close())
  const before = version()
  await pause(100)
  t.same(version(), before)
})

t.test('a change of the system clock ends no timeout', async (t) => {
  const path = makePath(t)
  const broker = open(t, path, '1m')
  await broker.enqueue(note('before'))
  const release = lock(t, path)
  const sent = broker.enqueue(note('patient'))
  stepClock(t, 3_600_000)
  // Some turns of the event loop, in which it tries again.
  for (let turn = 0; turn < 40; turn++) await new Promise((resolve) => setTimeout(resolve, 2))
  release()
  await sent
  t.match(await broker.stats('exam'), { ready: 2 })
})
