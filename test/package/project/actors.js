/** Typical first actors of a user, on two queues. */
import { isMainThread } from 'node:worker_threads'
import { actor } from 'dramatis'

export const add = actor(
  function add(a, b) {
    return { sum: a + b, onThread: !isMainThread }
  },
  { storeResults: true },
)

export const greet = actor(
  async function greet(name) {
    return `Hello, ${name}!`
  },
  { queueName: 'greetings', storeResults: true },
)
