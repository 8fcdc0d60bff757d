/**
 * An application whose start fails in the second thread of the process (to the `FAILING_STARTS`th), and in no other, as
 * if a service were briefly unreachable.
 */
import { appendFileSync, readFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import { runWorker } from '../../../lib/index.js'
import './actors.js'

const starts = `${process.env.DRAMATIS_URL?.replace('sqlite:', '')}.starts`

async function main(): Promise<void> {
  if (!isMainThread) {
    appendFileSync(starts, '.')
    await new Promise(setImmediate)
    const { length } = readFileSync(starts, 'utf8')
    if (length > 1 && length <= Number(process.env.FAILING_STARTS ?? 2)) throw new Error('the database is away')
  }
  await runWorker(JSON.parse(process.env.WORKER_OPTIONS ?? '{}'))
}

void main()
