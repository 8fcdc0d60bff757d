/**
 * Child process of the tests of cancellations: a worker, or one that cancels messages until it is killed.
 *
 * argv: what is shared ("redis" and its URL and namespace, or "sqlite" and a path), separated by spaces; then "worker"
 *       and its number of threads, or "cancel" and the ids
 * out:  what the actors say; "ready"; "cancelled <id>"
 */
import { setBroker, setLogger, Worker } from '../../lib/index.js'
import { pause } from '../../lib/time.js'
import { makeBroker } from './cancellation-broker.js'
import { say } from './say.js'

const [shared, role, ...rest] = process.argv.slice(2) as [string, 'worker' | 'cancel', ...string[]]
const silent = (): void => {}
setLogger({ debug: silent, info: silent, warn: silent, error: silent })
const broker = makeBroker(shared)
setBroker(broker)
const actors = new URL('./actors/cancelled.ts', import.meta.url).href
await import(actors)

if (role === 'worker') {
  const worker = new Worker(broker, { threads: Number(rest[0]), concurrency: 100, modules: [actors] })
  await worker.start()
  say('ready')
} else {
  say('ready')
  for (const id of rest) {
    await broker.cancel(id, { queueName: 'default' })
    say(`cancelled ${id}`)
    // Time for the test to kill it.
    await pause(2)
  }
}
