import { isMainThread } from 'node:worker_threads'
import { actor } from 'dramatis'

export const add = actor(
  function add(a, b) {
    return { sum: a + b, onThread: !isMainThread }
  },
  { storeResults: true },
)
