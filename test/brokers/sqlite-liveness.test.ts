/** When a worker counts as dead: when the system releases its lock, not after a change of the clock or a pause. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import t, { type Test } from 'tap'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import { nameOf, note, takeOne, until } from '../../testing/contract/brokers/exam.js'
import { Child } from '../support/processes.js'
import { inDatabase, makePath } from '../support/sqlite-files.js'

const open = (t: Pick<Test, 'teardown'>, path: string, heartbeatTimeout = 60_000): SQLiteBroker => {
  const broker = new SQLiteBroker({ path, middleware: [], heartbeatTimeout })
  t.teardown(() => broker.close())
  return broker
}

/** Starts a process that takes one message and holds it, with a heartbeat timeout of an hour. */
async function holder(t: Test, path: string, name: string, ...[step, under]: [string?, string[]?]): Promise<Child> {
  await open(t, path).enqueue(note(name))
  const child = new Child(t, 'sqlite-worker.ts', [path, '3600000', 'hold', step ?? '0'], under)
  await child.until((lines) => lines.some((line) => line.startsWith(`took ${name}`)))
  return child
}

const lockFiles = (path: string): string[] => readdirSync(dirname(path)).filter((name) => name.includes('-worker-'))

const change = (path: string, sql: string): void => void inDatabase(path, (database) => database.exec(sql))

t.test('a change of the system clock makes no worker look dead', async (t) => {
  const path = makePath(t)
  // Given a worker whose last heartbeat is older than an hour by the clock of all others
  const child = await holder(t, path, 'running', '-7200000')

  // When another worker starts, which looks for dead workers before it takes a message
  const broker = open(t, path)
  await broker.enqueue(note('waiting'))
  const consumer = broker.consume('exam')
  t.equal(nameOf(await takeOne(consumer)), 'waiting', 'the running message was not requeued')

  // Then the first worker still holds its message
  child.writeLine('settle')
  await child.until((lines) => lines.includes('acked running'))
  await until(async () => (await broker.stats('exam')).inFlight + (await broker.stats('exam')).ready === 2, 'the rest')
})

t.test('a pause of the whole machine makes no worker look dead', async (t) => {
  const path = makePath(t)
  const broker = open(t, path)
  const children: Child[] = []
  for (const name of ['one', 'two']) {
    await broker.enqueue(note(name))
    const child = new Child(t, 'sqlite-worker.ts', [path, '1500', 'hold'])
    await child.until((lines) => lines.some((line) => line.startsWith(`took ${name}`)))
    children.push(child)
  }
  const look = (sql: string): unknown => inDatabase(path, (database) => database.prepare(sql).all(Date.now()))
  const held = (): unknown => look('SELECT id, holder, deliveries FROM messages WHERE ? ORDER BY id')
  const before = held()

  for (const child of children) child.process.kill('SIGSTOP')
  const expired = (): boolean => (look('SELECT id FROM workers WHERE expires_at < ?') as unknown[]).length === 2
  await until(async () => expired(), 'both leases to expire by the clock')
  for (const child of children) child.process.kill('SIGCONT')
  const renewed = (): boolean => (look('SELECT id FROM workers WHERE expires_at > ?') as unknown[]).length === 2
  await until(async () => renewed(), 'heartbeats of both')
  t.same(held(), before, 'both still hold their messages, delivered once')
})

const unshare = ['unshare', '--pid', '--fork', '--kill-child']
const cannot =
  spawnSync('unshare', [...unshare.slice(1), 'true']).status !== 0 && 'needs unshare and the right to use it'

t.test('the death of a process in another process namespace is detected immediately', { skip: cannot }, async (t) => {
  const path = makePath(t)
  const child = await holder(t, path, 'orphan', '0', unshare)
  const waiting = takeOne(open(t, path).consume('exam'))
  await child.kill()
  t.equal((await waiting).deliveryCount, 2)
  await until(async () => lockFiles(path).length === 1, 'the file of the dead to be removed')
})

t.test('so is the death of a process whose id another process has', async (t) => {
  const path = makePath(t)
  const child = await holder(t, path, 'orphan')
  change(path, `UPDATE workers SET pid = ${process.pid}`)
  const waiting = takeOne(open(t, path).consume('exam'))
  await child.kill()
  t.equal((await waiting).deliveryCount, 2)
})

t.test(
  'so is the death of a container that was restarted under another name, before another worker consumes',
  async (t) => {
    const path = makePath(t)
    const child = await holder(t, path, 'orphan')
    change(path, "UPDATE workers SET host = 'another container'")
    await child.kill()
    t.equal((await takeOne(open(t, path).consume('exam'))).deliveryCount, 2)
  },
)

t.test('a worker of an older version, without a lock, is judged by its process or its heartbeat', async (t) => {
  const path = makePath(t)
  const broker = open(t, path, 300)
  await broker.enqueue(note('first'))
  const consumer = broker.consume('exam')
  const mine = await takeOne(consumer)
  const { pid } = spawnSync(process.execPath, ['--version'])
  const takenBy = (id: number, host: string, pid: number): void => {
    change(path, `UPDATE messages SET holder = ${id}`)
    change(path, `INSERT INTO workers SELECT ${id}, ${host}, ${pid}, 0 FROM workers LIMIT 1`)
  }
  takenBy(1, 'host', pid)
  t.equal((await takeOne(consumer)).deliveryCount, 2, 'its process is gone')
  takenBy(2, "'elsewhere'", process.pid)
  t.equal(nameOf(await takeOne(consumer)), 'first', 'no heartbeat came')
  await consumer.ack(mine, [])
})

t.test('lock files are removed, including those that other workers left', async (t) => {
  const path = makePath(t)
  const broker = open(t, path)
  await broker.enqueue(note('a'))
  writeFileSync(`${path}-worker-17`, '')
  writeFileSync(`${path}-worker-notes`, 'not ours')
  await takeOne(broker.consume('exam'))
  t.notOk(existsSync(`${path}-worker-17`))
  t.equal(lockFiles(path).length, 2, 'its own file exists, and the file that is no lock file')
  await broker.close()
  t.same(lockFiles(path), ['queue.db-worker-notes'])
})
