import t from 'tap'
import { InvalidName } from '../../lib/errors.js'
import {
  canonicalQueueName,
  checkActorName,
  checkQueueName,
  deadLetterQueueName,
  delayQueueName,
} from '../../lib/queue-names.js'
import { readVectors } from '../vectors.js'

interface NameCase {
  name: string
  q_name: string
  dq_name: string
  xq_name: string
}

const vectors = readVectors<NameCase, { allowed_queue_names: Record<string, boolean> }>('queue-names')

t.test("the three names of a queue are Dramatiq's", async (t) => {
  for (const { name, q_name, dq_name, xq_name } of vectors.cases) {
    t.equal(canonicalQueueName(name), q_name)
    t.equal(delayQueueName(name), dq_name)
    t.equal(deadLetterQueueName(name), xq_name)
  }
})

t.test('a queue name must be one that Dramatiq allows', async (t) => {
  for (const [name, allowed] of Object.entries(vectors.allowed_queue_names)) {
    if (allowed) t.doesNotThrow(() => checkQueueName(name), name)
    else t.throws(() => checkQueueName(name), { constructor: InvalidName, message: /Expected a queue name/ }, name)
  }
  for (const name of [undefined, null, 5, 'a\n', 'a\nb', {}]) t.throws(() => checkQueueName(name), InvalidName)
})

t.test('an actor needs a name', async (t) => {
  checkActorName('ünï – anything goes')
  for (const name of ['', undefined, null, 5]) {
    t.throws(() => checkActorName(name), { constructor: InvalidName, message: /Name the function, or give actorName/ })
  }
})
