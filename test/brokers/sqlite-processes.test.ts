/** Several processes on one file, beyond the contract tests. */
import t, { type Test } from 'tap'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import { Message } from '../../lib/message.js'
import { inTime, nameOf, note, take, takeOne, until } from '../../testing/contract/brokers/exam.js'
import { Child } from '../support/processes.js'
import { inDatabase, makePath } from '../support/sqlite-files.js'

const open = (t: Pick<Test, 'teardown'>, path: string, heartbeatTimeout = 60_000): SQLiteBroker => {
  const broker = new SQLiteBroker({ path, middleware: [], heartbeatTimeout })
  t.teardown(() => broker.close())
  return broker
}

t.test('several processes create the file at the same time', async (t) => {
  const path = makePath(t)
  const children = [1, 2, 3, 4].map((number) => new Child(t, 'sqlite-producer.ts', [path, `${number}.`, '50']))
  await Promise.all(children.map((child) => child.until((lines) => lines.includes('ready'))))
  for (const child of children) child.writeLine('go')
  await Promise.all(children.map((child) => child.ended()))
  t.same(
    children.map((child) => child.lines.length),
    [51, 51, 51, 51],
  )
  t.equal(new Set((await take(open(t, path).consume('exam'), 200)).map(nameOf)).size, 200)
})

t.test('the send of another process wakes a waiting take', async (t) => {
  const path = makePath(t)
  const child = new Child(t, 'sqlite-producer.ts', [path, 'from afar ', '1'])
  await child.until((lines) => lines.includes('ready'))
  const consumer = open(t, path).consume('exam')
  const waiting = consumer.take(1)
  child.writeLine('go')
  // A take that isn't woken returns an empty list after several seconds.
  t.same((await inTime(waiting, 'the message')).map(nameOf), ['from afar 0'])
})

t.test('a worker that was stopped for longer than its lease neither settles twice nor loses anything', async (t) => {
  const path = makePath(t)
  const broker = open(t, path, 300)
  // Given a worker that hangs while it holds a message
  await broker.enqueue(note('fought over'))
  const child = new Child(t, 'sqlite-worker.ts', [path, '300', 'hold'])
  await child.until((lines) => lines.some((line) => line.startsWith('took fought over')))
  child.process.kill('SIGSTOP')

  // When its lease expires, and another worker has the message by the time it continues and settles
  const consumer = broker.consume('exam')
  const delivery = await takeOne(consumer)
  t.equal(delivery.deliveryCount, 2)
  child.process.kill('SIGCONT')
  child.writeLine('settle')
  await child.until((lines) => lines.includes('acked fought over'))

  // Then that settlement and its send have no effect
  t.same(await broker.stats('exam'), { ready: 0, delayed: 0, inFlight: 1, dead: 0 })
  await consumer.ack(delivery, [])
  await consumer.close()

  // And the worker continues, with a new lease
  await broker.enqueue(note('another'))
  await child.until((lines) => lines.some((line) => line.startsWith('took another') && line.endsWith(' 1')))
  child.writeLine('settle')
  await child.until((lines) => lines.includes('acked another'))
  await until(
    async () => (await broker.stats('exam')).inFlight + (await broker.stats('exam')).ready === 1,
    'what it sent',
  )
})

t.test('messages of a killed process are redelivered long before its heartbeat expires', async (t) => {
  const path = makePath(t)
  const broker = open(t, path)
  await broker.enqueue(note('orphan'))
  const child = new Child(t, 'sqlite-worker.ts', [path, '3600000', 'hold'])
  await child.until((lines) => lines.some((line) => line.startsWith('took orphan')))
  const waiting = takeOne(broker.consume('exam'))
  await child.kill()
  t.equal((await waiting).deliveryCount, 2)
})

t.test('a worker that stops gracefully requeues what it holds, uncounted', async (t) => {
  const path = makePath(t)
  const leaving = open(t, path)
  await leaving.enqueue(note('kept'))
  await takeOne(leaving.consume('exam'))
  await leaving.close()
  t.equal((await takeOne(open(t, path).consume('exam'))).deliveryCount, 1)
  t.same(
    inDatabase(path, (database) => database.prepare('SELECT count(*) AS workers FROM workers').get()),
    { workers: 1 },
  )
})

t.test('brokers of one process on one path share a connection, which the last one closes', async (t) => {
  const path = makePath(t)
  const [one, two] = [open(t, path), open(t, path)]
  await one.enqueue(note('shared'))
  await one.close()
  t.equal(nameOf(await takeOne(two.consume('exam'))), 'shared')
  await two.close()
  const again = open(t, path)
  t.match(await again.stats('exam'), { ready: 1 })
  t.ok(Message.decode((await takeOne(again.consume('exam'))).body))
})
