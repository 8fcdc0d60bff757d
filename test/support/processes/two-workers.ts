/** Two workers in one process, on one broker; the second starts when the first has started a message. */
import { actor, runWorker } from '../../../lib/index.js'

const settings = { storeResults: true, maxRetries: 0 } as const

const began = new Promise<void>((resolve) => {
  actor(
    async () => {
      resolve()
      await new Promise((done) => setTimeout(done, 1500))
      return 'done'
    },
    { ...settings, actorName: 'long' },
  )
})
actor(() => 'short', { ...settings, actorName: 'short', queueName: 'other' })

void runWorker({ threads: 0, queues: ['default'] })
await began
await runWorker({ threads: 0, queues: ['other'], ...JSON.parse(process.env.WORKER_OPTIONS ?? '{}') })
