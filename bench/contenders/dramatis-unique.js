/**
 * Unique sends of 100 keys, on the broker of DRAMATIS_URL: `skip`, or `replace` with a delay; or as many sends that
 * aren't unique, `plain`. Nothing runs meanwhile.
 */
import { actor, getBroker } from '../../dist/lib/index.js'
import { payload, report, timeRuns, timeSends } from './report.js'

process.env.DRAMATIS_LOG_LEVEL ??= 'warn'

const kind = process.argv[2]
const key = (page) => page
const index = actor(
  function index() {},
  kind === 'plain' ? {} : { unique: { key, onDuplicate: kind === 'replace' ? 'replace' : 'skip' } },
)
const broker = getBroker()
let sent = 0
const send = (run) => {
  const args = [`${run}-${sent++ % 100}`, payload]
  return kind === 'replace' ? index.sendWithOptions({ args, delay: 60_000 }) : index.send(...args)
}

const sends = []
const times = await timeRuns((run) => async () => void sends.push(await timeSends(() => send(run))))
await broker.close()
const { rate, cpu } = sends.toSorted((a, b) => a.rate - b.rate)[Math.floor(sends.length / 2)]
await report({ enqueued: { rate, cpu }, times })
