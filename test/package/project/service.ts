/** A service in one TypeScript file: `service.ts work` is its worker, `service.ts send` sends to it. */
import { isMainThread } from 'node:worker_threads'
import { actor, getBroker, runWorker } from 'dramatis'

export const add = actor(
  async function add(a: number, b: number): Promise<{ sum: number; onThread: boolean }> {
    return { sum: a + b, onThread: !isMainThread }
  },
  { storeResults: true, maxRetries: 3 },
)

if (process.argv[2] === 'work') {
  await runWorker({ threads: 1 })
} else {
  const message = await add.send(1, 2)
  const { sum, onThread }: { sum: number; onThread: boolean } = await message.result({ timeout: '30s' })
  console.log(JSON.stringify({ sum, onThread }))
  await getBroker().close()
}
