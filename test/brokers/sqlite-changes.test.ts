/** How an idle SQLite broker learns of what other connections commit. */

import * as fs from 'node:fs'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type ChangeWatcher, restAfterCommit } from '../../brokers/sqlite/connection/change-watcher.js'
import { Connection } from '../../brokers/sqlite/connection/connection.js'
import { QueueWaits } from '../../brokers/sqlite/connection/queue-waits.js'
import * as time from '../../lib/time.js'
import { until } from '../support/memory.js'

type WatcherModule = typeof import('../../brokers/sqlite/connection/change-watcher.js')

/** Two connections to one file, as two processes have them: by another path each is a connection of its own. */
async function openTwice(t: Test): Promise<[Connection, Connection]> {
  const folder = t.testdir()
  mkdirSync(join(folder, 'real'))
  symlinkSync(join(folder, 'real'), join(folder, 'link'))
  const ours = Connection.acquire(join(folder, 'real', 'queue.db'))
  const theirs = Connection.acquire(join(folder, 'link', 'queue.db'))
  t.teardown(() => Promise.all([ours.release(), theirs.release()]))
  await ours.read(() => undefined)
  await theirs.read(() => undefined)
  return [ours, theirs]
}

/** Counts the commits that a watcher of the first connection reports while the second one commits. */
async function watch(t: Test, mocks: Record<string, unknown>): Promise<{ changes: () => number; commit: () => void }> {
  const [ours, theirs] = await openTwice(t)
  const statements = await ours.read((found) => found)
  const { ChangeWatcher } = (await t.mockImport(
    '../../brokers/sqlite/connection/change-watcher.js',
    mocks,
  )) as WatcherModule
  const watcher = new ChangeWatcher(ours.path, () => statements)
  t.teardown(() => watcher.close())
  let changes = 0
  watcher.watchOthers(() => changes++)
  let sent = 0
  const commit = (): void => void theirs.write(({ insertMessage }) => insertMessage.run(`q${sent++}`, 0, '{}'))
  return { changes: () => changes, commit }
}

t.test('a commit of another process is reported by the system, without polling', async (t) => {
  if (process.platform === 'win32') return t.pass('Windows reports writes too late')
  // Only the short timers fire, which follow a report.
  const startTimer = (callback: () => void, delay: number): NodeJS.Timeout =>
    time.startTimer(callback, delay < 50 ? delay : 3_600_000)
  const { changes, commit } = await watch(t, { '../../lib/time.ts': { ...time, startTimer } })
  for (let expected = 1; expected <= 3; expected++) {
    commit()
    await until(() => changes() >= expected)
  }
  t.ok(changes() >= 3)
})

t.test('on a busy file, changes are reported once per rest and not once per commit', async (t) => {
  const rests: (() => void)[] = []
  const startTimer = (callback: () => void, delay: number): NodeJS.Timeout => {
    if (delay !== restAfterCommit) return time.startTimer(callback, delay)
    rests.push(callback)
    return time.startTimer(() => {}, 3_600_000)
  }
  const { changes, commit } = await watch(t, { '../../lib/time.ts': { ...time, startTimer } })
  commit()
  await until(() => changes() > 0)
  for (let round = 0; round < 50; round++) {
    commit()
    await new Promise(setImmediate)
  }
  t.equal(changes(), 1)
  rests.at(-1)?.()
  t.equal(changes(), 2)
})

t.test('where the system reports no writes, commits are found by polling', async (t) => {
  const refused = (): never => {
    throw Object.assign(new Error('ENOSPC: System limit for number of file watchers reached'), { code: 'ENOSPC' })
  }
  const { changes, commit } = await watch(t, { 'node:fs': { ...fs, watch: refused } })
  commit()
  await until(() => changes() > 0)
  commit()
  await until(() => changes() > 1)
  t.ok(changes() > 1)
})

t.test('one query serves the waits on many queues, and wakes those that have messages', async (t) => {
  let reads = 0
  let change = (): void => {}
  const watcher = {
    watchOthers(listener: () => void) {
      change = listener
      return () => {}
    },
  } as unknown as ChangeWatcher
  const found: { queue: string; dueAt: number }[] = []
  const waits = new QueueWaits(watcher, async () => {
    reads++
    return found
  })
  const woken: number[] = []
  for (let queue = 0; queue < 300; queue++) void waits.wait(`q${queue}`).then(() => woken.push(queue))
  await until(() => reads > 0)
  t.equal(reads, 1)
  found.push({ queue: 'q7', dueAt: 0 }, { queue: 'q8', dueAt: Date.now() + 3_600_000 }, { queue: 'other', dueAt: 0 })
  change()
  change()
  await until(() => woken.length > 0)
  t.equal(reads, 2)
  t.same(woken, [7], 'what is due later, or on a queue that nothing waits for, wakes nothing')
  waits.wakeAll()
  await until(() => woken.length === 300)
})

t.test('a wait ends when a delayed message is due, without any change', async (t) => {
  const watcher = { watchOthers: () => () => {} } as unknown as ChangeWatcher
  const dueAt = Date.now() + 30
  const waits = new QueueWaits(watcher, async () => [{ queue: 'q', dueAt }])
  await waits.wait('q')
  t.ok(Date.now() >= dueAt)
})
