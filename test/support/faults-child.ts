/**
 * Child process of the tests in which processes are killed: a worker, or a producer of unique messages.
 *
 * argv: what is shared, see cancellation-broker.ts; then "worker", or "producer", what it does with a duplicate, a
 *       delay in milliseconds and its series, separated by commas
 * out:  "ready"; "ran" for each run; "<series> <number> <what became of it>" for each send that resolved
 */
import { setBroker, setLogger, Worker } from '../../lib/index.js'
import { pause } from '../../lib/time.js'
import { latest } from './actors/faults.js'
import { makeBroker } from './cancellation-broker.js'
import { say } from './say.js'

const [shared, role, onDuplicate, delay, series = ''] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
]
const silent = (): void => {}
setLogger({ debug: silent, info: silent, warn: silent, error: silent })
const broker = makeBroker(shared)
setBroker(broker)

if (role === 'worker') {
  const worker = new Worker(broker, { threads: 0, concurrency: 10, queues: ['default'] })
  await worker.start()
  say('ready')
} else {
  say('ready')
  const produce = async (name: string): Promise<void> => {
    for (let number = 1; ; number++) {
      const options = { unique: { onDuplicate: onDuplicate as 'skip' }, delay: Number(delay) || undefined }
      // Each of its own key, unless the latest one wins.
      const args = [onDuplicate === 'skip' ? `${name}.${number}` : name, number] as const
      const { deduplicated } = await latest.sendWithOptions({ args, ...options })
      say(`${name} ${number} ${deduplicated}`)
      // Otherwise nothing that is replaced all the time would ever be due.
      await pause(2 * Math.random() * Number(delay))
    }
  }
  await Promise.all(series.split(',').map(produce))
}
