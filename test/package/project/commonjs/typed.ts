import { isMainThread } from 'node:worker_threads'
import { actor, runWorker } from 'dramatis'

export const add = actor(
  async function add(a: number, b: number) {
    return { sum: a + b, onThread: !isMainThread }
  },
  { storeResults: true },
)

async function main(): Promise<void> {
  await runWorker({ threads: 1 })
}

void main()
