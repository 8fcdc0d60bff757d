/**
 * What SQLite itself can do here: the statements of a `SQLiteBroker` in the batches it makes of them, with no library
 * around. The measure for the broker, which can be no quicker. Uses the broker's own schema, statements and driver.
 *
 * $ node --import=tsx bench/sqlite/bare-loop.ts [messages]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openDatabase } from '../../brokers/sqlite/database.js'
import { loadDriver } from '../../brokers/sqlite/driver.js'
import { takeRows } from '../../brokers/sqlite/rows.js'

export interface BareLoopResult {
  /** Which driver it ran on. */
  readonly driver: string
  /** Messages a second. */
  readonly enqueued: number
  readonly processed: number
}

/**
 * Inserts so many messages and takes and deletes them again.
 * @param batch How many go into one transaction.
 */
export function bareLoop({ messages = 100_000, batch = 256 } = {}): BareLoopResult {
  const folder = mkdtempSync(join(tmpdir(), 'dramatis-bench-'))
  const driver = loadDriver()
  const { database, statements } = openDatabase(driver, join(folder, 'queue.db'), 'normal')
  const body = JSON.stringify({
    queue_name: 'default',
    actor_name: 'noop',
    args: [1],
    kwargs: {},
    options: {},
    message_id: '5f0e2b8c-9f0a-4f3b-8f55-0d6f4f0c1f6e',
    message_timestamp: 1_700_000_000_000,
  })
  try {
    const enqueued = rate(messages, () => {
      for (let done = 0; done < messages; done += batch) {
        statements.begin.run()
        for (let index = 0; index < batch; index++) statements.insertMessage.run('default', 0, body)
        statements.commit.run()
      }
    })
    const processed = rate(messages, () => {
      for (let taken: number[] = []; ; ) {
        statements.begin.run()
        if (taken.length > 0) statements.acknowledge.run(JSON.stringify(taken), 1)
        taken = takeRows(statements, 'default', 1, batch).map((row) => row.id)
        statements.commit.run()
        if (taken.length === 0) return
      }
    })
    return { driver: driver.name, enqueued, processed }
  } finally {
    database.close()
    rmSync(folder, { recursive: true })
  }
}

function rate(count: number, work: () => void): number {
  const start = performance.now()
  work()
  return Math.round((count / (performance.now() - start)) * 1000)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(JSON.stringify(bareLoop({ messages: Number(process.argv[2] ?? 100_000) })))
}
