/** A script that creates its worker itself, without `runWorker()`. */
import { getBroker, Worker } from '../../../lib/index.js'
import './actors.js'

const worker = new Worker(getBroker(), JSON.parse(process.env.WORKER_OPTIONS ?? '{}'))
await worker.start()
process.once('SIGTERM', async () => {
  await worker.stop()
  await worker.broker.close()
})
