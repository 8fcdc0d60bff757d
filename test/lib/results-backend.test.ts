import t from 'tap'
import { InvalidOption, NotSerializable, ResultFailure } from '../../lib/errors.js'
import { Message } from '../../lib/message.js'
import {
  decodeResult,
  encodeFailure,
  encodeSuccess,
  ResultBackend,
  type StoredResult,
} from '../../lib/results/backend.js'
import { readVectors } from '../vectors.js'

interface ResultCase {
  name: string
  message?: { queue_name: string; actor_name: string; message_id: string }
  key?: string
  key_before_md5?: string
  redis?: Record<string, { value: string[] }>
  get_result?: unknown
  get_result_raised?: { type: string; message: string }
}

/** A backend with one result, which records the keys it reads. */
class OneResult extends ResultBackend {
  stored: StoredResult | undefined
  asked: string[] = []

  protected async put(key: string, stored: StoredResult): Promise<void> {
    this.asked.push(key)
    this.stored = stored
  }

  protected async peek(key: string): Promise<StoredResult | undefined> {
    this.asked.push(key)
    return this.stored
  }

  protected async wait(): Promise<undefined> {
    return undefined
  }
}

const { cases } = readVectors<ResultCase>('redis-results')

t.test("the key of a result is Dramatiq's", async (t) => {
  const keyed = cases.filter(({ message, key, key_before_md5 }) => message && key && key_before_md5)
  t.ok(keyed.length > 10)
  for (const { name, message, key, key_before_md5 } of keyed) {
    const [namespace] = (key_before_md5 as string).split(':')
    const { queue_name, actor_name, message_id } = message as NonNullable<typeof message>
    const fields = { queueName: queue_name, actorName: actor_name, messageId: message_id, args: [] }
    t.equal(new OneResult({ namespace }).keyOf(new Message(fields)), key, name)
  }
  t.equal(new OneResult().namespace, 'dramatiq-results')
})

t.test("the value of a result is Dramatiq's, both ways", async (t) => {
  for (const { name, redis, get_result, get_result_raised } of cases.filter((each) => 'get_result' in each)) {
    const stored = Object.values(redis ?? {})[0]?.value[0] as string
    t.same(decodeResult(stored), get_result, name)
    t.same(JSON.parse(encodeSuccess(get_result)), JSON.parse(stored))
    t.equal(get_result_raised, undefined)
  }
  t.equal(encodeSuccess(undefined), 'null')
})

t.test("a failure is stored as Dramatiq's, and read with its type and its text", async (t) => {
  const failures = cases.filter(({ name }) => name.startsWith('failure_'))
  t.ok(failures.length >= 5)
  for (const { redis } of failures) {
    const stored = Object.values(redis ?? {})[0]?.value[0] as string
    const { exn } = JSON.parse(stored) as { exn: { type: string; msg: string } }
    t.equal(encodeFailure({ type: exn.type, message: exn.msg }), JSON.stringify(JSON.parse(stored)))
    t.throws(() => decodeResult(stored), new ResultFailure(exn.type, exn.msg))
    t.throws(() => decodeResult(stored), {
      type: exn.type,
      reason: exn.msg,
      message: `actor raised ${exn.type}: ${exn.msg}`,
    })
  }
})

t.test('storing and reading use the same key for all names of a queue', async (t) => {
  const backend = new OneResult()
  const message = new Message({ queueName: 'default.DQ', actorName: 'add', args: [] })
  await backend.storeResult(message, { sum: 3 }, 1000)
  t.same(await backend.get(message.with({ queueName: 'default' })), { sum: 3 })
  t.equal(new Set(backend.asked).size, 1)
})

t.test('an invalid timeout is refused', async (t) => {
  const message = new Message({ queueName: 'default', actorName: 'add', args: [] })
  await t.rejects(new OneResult().get(message, { timeout: 'soon' as never }), InvalidOption)
  t.throws(() => encodeSuccess({ a: new Map() }), NotSerializable)
})

t.test('NaN and infinities of Python are read; other invalid JSON is an error', async (t) => {
  t.same(decodeResult('{"a": [NaN, -Infinity, Infinity, 1.5], "b": "NaN, \\"Infinity"}'), {
    a: [Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 1.5],
    b: 'NaN, "Infinity',
  })
  t.same(decodeResult('["NaN", NaN]'), ['NaN', Number.NaN])
  t.throws(() => decodeResult('{broken'), { name: 'ResultError', message: /to be JSON; got "\{broken"/ })
})
