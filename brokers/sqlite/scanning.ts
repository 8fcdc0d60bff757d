/** Searches the stored messages of a queue, and makes delayed ones due. */
import type { ScannedMessage } from '../../lib/consumer.js'
import type { Body } from '../../lib/encoder.js'
import type { Connection } from './connection/connection.js'
import type { Statements } from './statements.js'

/** How many messages one query looks at. */
const pageSize = 250

interface Row {
  readonly id: number
  readonly body: Body
  readonly state: ScannedMessage['state']
}

/** The messages of a queue, a page at a time. Delayed ones come first: they may become ready meanwhile, and not the reverse. */
export async function* scanQueue(
  connection: Connection,
  queueName: string,
  containing: string | undefined,
): AsyncGenerator<readonly ScannedMessage[]> {
  for (const table of ['Delayed', 'Messages'] as const) {
    for (let after: number | null = 0; after !== null; ) {
      const from: number = after
      const page = await connection.read((statements) => readPage(statements, table, from, queueName, containing))
      after = page.last
      if (page.rows.length > 0) yield page.rows.map(toScanned)
      // Other code gets its turn.
      await new Promise(setImmediate)
    }
  }
}

/** The two tables have ids of their own. */
function toScanned({ id, body, state }: Row): ScannedMessage {
  return { ref: state === 'delayed' ? id : undefined, body, state }
}

function readPage(
  statements: Statements,
  table: 'Delayed' | 'Messages',
  after: number,
  queueName: string,
  containing = '',
): { last: number | null; rows: readonly Row[] } {
  const { last } = statements[`endOf${table}Page`].get(after, pageSize) as { last: number | null }
  const rows = last === null ? [] : (statements[`scan${table}`].all(after, last, queueName, containing) as Row[])
  return { last, rows }
}

/** Makes delayed messages due. */
export async function runNow(connection: Connection, queueName: string, ids: readonly unknown[]): Promise<void> {
  await connection.write((statements) => statements.runNow.run(JSON.stringify(ids), queueName))
  connection.queueWaits.wake(queueName)
}
