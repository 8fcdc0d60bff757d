/** A worker in which everything hangs that must end: its hooks, its results backend, its broker. */
import { MemoryBroker } from '../../../brokers/memory/index.js'
import { actor, runWorker, setBroker } from '../../../lib/index.js'

const never = (): Promise<never> => new Promise(() => {})

class HangingBroker extends MemoryBroker {
  protected override closeStore(): Promise<void> {
    return never()
  }
}

const broker = new HangingBroker()
const { results } = broker
if (results) results.close = never
broker.use({
  name: 'Hanging',
  beforeWorkerShutdown: never,
  beforeConsumerThreadShutdown: never,
  beforeWorkerThreadShutdown: never,
  afterWorkerShutdown: never,
})
setBroker(broker)
export const idle = actor(() => {}, { actorName: 'idle' })
await runWorker(JSON.parse(process.env.WORKER_OPTIONS ?? '{}'))
