/**
 * Bodies that are large and malformed, or nested too deeply: they block nothing, and are dead-lettered with a reason.
 */
import { randomUUID } from 'node:crypto'
import { t } from 'tap'
import { RedisBroker } from '../../brokers/redis/index.js'
import { lenient } from '../../brokers/redis/sending/json-rewrite.js'
import { actor } from '../../lib/actor.js'
import { Worker } from '../../lib/worker/worker.js'
import { note, queueName, until } from '../../testing/contract/brokers/exam.js'
import { captureLog } from '../support/log.js'
import { opener } from '../support/redis-brokers.js'
import { withRedis } from '../support/redis-server.js'

captureLog()

const size = 1_000_000
/** The JSON of a message that contains the given text. */
const message = (args: string, options = '{}'): string =>
  `{"queue_name": "${queueName}", "actor_name": "note", "args": ${args}, "kwargs": {}, "options": ${options}}`

const broken: Record<string, string> = {
  'quotes without an end': `{"eta": NaN, "args": ["${'\\"'.repeat(5 * size)}`,
  'strings one after the other': `{"eta": NaN, ${'"", '.repeat(size / 4)}`,
  'backslashes without an end': `{"eta": NaN, "args": "${'\\'.repeat(size)}`,
  'brackets without an end': `{"eta": NaN, "args": ${'['.repeat(size)}`,
  'space without an end': `{"eta": NaN, "args": ${' '.repeat(size)}`,
  'signs without a number': `{"eta": NaN, "args": [${'-'.repeat(size)}`,
}

await withRedis((server) => {
  const redis = server.client()
  const open = opener(server.url)

  for (const list of [queueName, `${queueName}.DQ`]) {
    t.test(
      `broken text of 1 to 10 MB on ${list} is dead-lettered, while heartbeats and other messages continue`,
      async (t) => {
        const broker = open(t, { heartbeatTimeout: '20s' })
        const key = `${broker.namespace}:${list}`
        const done: unknown[] = []
        actor((name: unknown) => void done.push(name), { broker, actorName: 'note', queueName })
        for (const [id, body] of Object.entries({ ...broken, before: message('["before"]') })) {
          await redis.hset(`${key}.msgs`, id, body)
          await redis.rpush(key, id)
        }
        const worker = new Worker(broker, { threads: 0 })
        await worker.start()
        t.teardown(() => worker.stop())
        await until(async () => (await broker.stats(queueName)).dead === Object.keys(broken).length, 'the dead letters')
        await broker.enqueue(note('after'))
        await until(() => done.length === 2, 'the other messages')
        t.same(done, ['before', 'after'])
        const reasons = await redis.hvals(`${broker.namespace}:${queueName}:dead`)
        for (const reason of reasons) t.match(reason, /not a message/)
        t.ok(reasons.join().length < 4000, 'and do not repeat the body')
      },
    )
  }

  t.test(
    'what is nested 200,000 deep runs where it can, and is dead-lettered where it would be sent again',
    async (t) => {
      const broker = new RedisBroker({ url: server.url, namespace: randomUUID() })
      t.teardown(() => broker.close())
      const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`
      const done: unknown[] = []
      const run = (_: unknown, fails: boolean): void => {
        if (fails) throw new Error('No')
        done.push(fails)
      }
      actor(run, { broker, actorName: 'note', queueName, maxRetries: 3 })
      for (const [list, fails] of [
        [`${queueName}.DQ`, false],
        [queueName, true],
      ] as const) {
        await redis.hset(
          `${broker.namespace}:${list}.msgs`,
          'deep',
          message(`[${deep}, ${fails}]`, `{"eta": ${Date.now()}}`),
        )
        await redis.rpush(`${broker.namespace}:${list}`, 'deep')
      }
      const worker = new Worker(broker, { threads: 0 })
      await worker.start()
      t.teardown(() => worker.stop())
      await until(() => done.length === 1, 'the valid message')
      await until(async () => (await broker.stats(queueName)).dead === 1, 'the dead letter')
      t.match((await broker.deadLetters(queueName)).letters[0]?.reason, /can't be (encoded|sent)|stack|nested/)
      await broker.join(queueName, { timeout: '10s' })
    },
  )

  t.test('numbers that JSON does not have are read as null, and strings stay unchanged', async (t) => {
    t.equal(
      lenient('{"a": NaN, "NaN": "\\" NaN", "b": [-Infinity, Infinity]}'),
      '{"a": null, "NaN": "\\" NaN", "b": [null, null]}',
    )
    t.throws(() => lenient('{"a": NaN, "b'), SyntaxError)
  })
})
