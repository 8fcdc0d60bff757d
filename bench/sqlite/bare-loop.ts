/**
 * The speed of SQLite itself: the statements of a `SQLiteBroker` in batches like the broker's, without a library. The
 * reference for the broker, which can't be faster. Uses the broker's schema, statements and driver. Includes the work
 * that every message needs: an id, JSON.stringify, JSON.parse.
 *
 * $ node --import=tsx bench/sqlite/bare-loop.ts [messages]
 */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openDatabase } from '../../brokers/sqlite/connection/database.js'
import { loadDriver } from '../../brokers/sqlite/driver/driver.js'
import { takeRows } from '../../brokers/sqlite/rows.js'

export interface BareLoopResult {
  /** The driver that was used. */
  readonly driver: string
  readonly enqueued: Rate
  readonly processed: Rate
}

export interface Rate {
  /** Messages per second. */
  readonly perSecond: number
  /** Microseconds of CPU per message, which other work on the machine affects less. */
  readonly cpu: number
}

/**
 * Inserts this many messages, then takes and deletes them.
 * @param batch How many go into one transaction.
 */
export function bareLoop({ messages = 100_000, batch = 256 } = {}): BareLoopResult {
  const folder = mkdtempSync(join(tmpdir(), 'dramatis-bench-'))
  const driver = loadDriver()
  const { database, statements } = openDatabase(driver, join(folder, 'queue.db'), 'normal')
  try {
    const enqueued = rate(messages, () => {
      for (let done = 0; done < messages; done += batch) {
        statements.begin.run()
        for (let index = 0; index < batch; index++) statements.insertMessage.run('default', 0, makeBody())
        statements.commit.run()
      }
    })
    const processed = rate(messages, () => {
      for (let taken: number[] = []; ; ) {
        statements.begin.run()
        if (taken.length > 0) statements.acknowledge.run(JSON.stringify(taken), 1)
        taken = takeRows(statements, 'default', 1, batch).map((row) => {
          JSON.parse(row.body as string)
          return row.id
        })
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

function makeBody(): string {
  return JSON.stringify({
    queue_name: 'default',
    actor_name: 'noop',
    args: [1],
    kwargs: {},
    options: {},
    message_id: randomUUID(),
    message_timestamp: Date.now(),
  })
}

function rate(messages: number, work: () => void): Rate {
  const stop = startRate(messages)
  work()
  return stop()
}

/** Starts a measurement; the returned function ends it. */
export function startRate(messages: number): () => Rate {
  const start = performance.now()
  const before = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(before)
    return {
      perSecond: Math.round((messages / (performance.now() - start)) * 1000),
      cpu: Number(((user + system) / messages).toFixed(2)),
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(JSON.stringify(bareLoop({ messages: Number(process.argv[2] ?? 100_000) })))
}
