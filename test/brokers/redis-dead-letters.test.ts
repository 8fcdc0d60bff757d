/** Messages from Python beside ours: dead letters, requeueing them, and where Python's workers find messages. */
import { randomUUID } from 'node:crypto'
import { t } from 'tap'
import type { RedisBroker } from '../../brokers/redis/index.js'
import { consume, note, queueName, takeOne } from '../../testing/contract/brokers/exam.js'
import { captureLog } from '../support/log.js'
import { opener } from '../support/redis-brokers.js'
import { withRedis } from '../support/redis-server.js'

captureLog()

await withRedis((server) => {
  const redis = server.client()
  const open = opener(server.url)
  /** A dead letter as Python stores it. */
  const storeDeadLetter = async ({ namespace }: RedisBroker, body: string): Promise<string> => {
    const id = randomUUID()
    await redis.zadd(`${namespace}:${queueName}.XQ`, `${Date.now()}`, id)
    await redis.hset(`${namespace}:${queueName}.XQ.msgs`, id, body)
    return `${queueName}:${id}`
  }

  t.test('a dead letter from Python is requeued with every number unchanged, except the attempts', async (t) => {
    const broker = open(t)
    const rest = (options: string): string =>
      `{"queue_name": "${queueName}", "actor_name": "x", "args": [12345678901234567890, 1.0, NaN], "kwargs": {}, ` +
      `"options": {${options}"own": 2.0}, "message_id": "m", "message_timestamp": 1}`
    const letter = await storeDeadLetter(broker, rest('"retries": 3, "redis_message_id": "old", "eta": 5, '))

    t.equal(await broker.requeueDeadLetter(letter), true)

    const { body } = await takeOne(consume(broker))
    const id = `${body}`.match(/"redis_message_id": "([^"]+)"/)?.[1]
    t.not(id, 'old')
    t.equal(`${body}`.replace(/\s/g, ''), rest(`"redis_message_id": "${id}", `).replace(/\s/g, ''))
  })

  t.test('a dead letter from Python without a reason says so', async (t) => {
    const broker = open(t)
    await storeDeadLetter(broker, JSON.stringify(note('failed at once').toWire()))
    const { letters } = await broker.deadLetters(queueName)
    t.equal(letters[0]?.reason, 'Given up by a Python worker, which leaves a reason only on retries.')
  })

  t.test(
    "delayQueue: 'dramatiq' stores all messages where Python's workers look, whatever their priority",
    async (t) => {
      const broker = open(t, { delayQueue: 'dramatiq' })
      const name = `${broker.namespace}:${queueName}`
      await broker.enqueue(note('urgent', { broker_priority: 5 }))
      await broker.requeueDeadLetter(
        await storeDeadLetter(broker, JSON.stringify(note('again', { broker_priority: 9 }).toWire())),
      )

      t.equal(await redis.llen(name), 2)
      const bodies = await redis.hvals(`${name}.msgs`)
      t.same(bodies.map((body) => JSON.parse(body).options.broker_priority).sort(), [5, 9])
    },
  )
})
