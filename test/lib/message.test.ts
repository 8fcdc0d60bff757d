import t from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { setBroker } from '../../lib/default-broker.js'
import { DecodeError, DramatisError, ResultError } from '../../lib/errors.js'
import { assertMessage, Message } from '../../lib/message.js'
import { readVectors } from '../vectors.js'

interface EncodingCase {
  name: string
  what: string
  message: { raw: string; json?: Record<string, unknown> }
}

interface MalformedCase {
  name: string
  messages: (string | object)[]
}

const encoding = readVectors<EncodingCase>('redis-message-encoding').cases
const malformed = readVectors<MalformedCase>('redis-malformed').cases

/** Python writes NaN and the infinities, which JSON doesn't allow. */
const notJSON = ['nan_inf']

for (const { name, what, message } of encoding.filter(({ name }) => !notJSON.includes(name))) {
  t.test(`Python's message is read and written again unchanged: ${name} (${what})`, async (t) => {
    const decoded = Message.decode(message.raw)
    // Field order and white space are Python's, too; only characters that Python escapes are written unescaped.
    t.equal(decoded.encode(), JSON.stringify(JSON.parse(message.raw)))
    if (message.json) t.same(JSON.parse(decoded.encode() as string), message.json)
    t.same(Message.decode(Buffer.from(message.raw)), decoded, 'from bytes as from text')
  })
}

t.test('values that Python writes but JSON does not allow are refused', async (t) => {
  for (const name of notJSON) {
    const raw = encoding.find((each) => each.name === name)?.message.raw as string
    t.match(raw, 'NaN')
    t.throws(() => Message.decode(raw), DecodeError)
  }
})

t.test('integers beyond 2^53 lose their last digits, as they do everywhere in JavaScript', async (t) => {
  const raw = encoding.find(({ name }) => name === 'numbers')?.message.raw as string
  t.match(raw, '9007199254740993')
  const { args } = Message.decode(raw)
  t.equal(args[2], 9_007_199_254_740_992)
  t.equal(args[3], 2 ** 64, 'powers of two survive')
  t.ok(Object.is(args[8], -0))
})

t.test('messages of Python without ids, in another order, with white space or with raw UTF-8 are read', async (t) => {
  for (const name of ['baseline', 'without_ids', 'key_order_and_spaces', 'raw_utf8', 'retries_null', 'throws_string']) {
    const { messages } = malformed.find((each) => each.name === name) as MalformedCase
    for (const body of messages.map(asText)) {
      const message = Message.decode(body)
      t.type(message.messageId, 'string')
      t.type(message.messageTimestamp, 'number')
      t.match(JSON.parse(message.encode() as string), JSON.parse(body))
    }
  }
})

for (const name of ['not_json', 'extra_field', 'missing_kwargs', 'args_null']) {
  t.test(`a body that breaks Python's worker is refused with a DecodeError: ${name}`, async (t) => {
    const [bad] = (malformed.find((each) => each.name === name) as MalformedCase).messages
    t.throws(() => Message.decode(asText(bad as string)), DecodeError)
    t.throws(() => Message.decode(Buffer.from(asText(bad as string))), DecodeError)
  })
}

t.test('a DecodeError states what is wrong with the body', async (t) => {
  const wire = new Message({ queueName: 'default', actorName: 'add', args: [] }).toWire()
  const { kwargs: _, ...withoutKwargs } = wire
  const cases: [unknown, RegExp][] = [
    [withoutKwargs, /"kwargs".*missing/],
    [{ ...wire, extra: 1 }, /no field "extra".*options/],
    [{ ...wire, args: { 0: 1 } }, /"args".*an object/],
    [{ ...wire, options: [] }, /"options".*an array/],
    [{ ...wire, actor_name: 7 }, /"actor_name".*7/],
    [{ ...wire, message_timestamp: 'now' }, /"message_timestamp".*"now"/],
    [[wire], /an object; got an array/],
    [null, /an object; got null/],
  ]
  for (const [body, message] of cases) t.throws(() => Message.decode(JSON.stringify(body)), { message })
  t.throws(() => Message.decode('{"queue_name":'), { name: 'DecodeError', message: /not a message/ })
  t.throws(() => Message.decode(Buffer.from([0x22, 0xff, 0x22])), DecodeError, 'bytes that are not UTF-8')
  t.throws(() => Message.decode('{"__proto__":1}'), DecodeError)
})

t.test('a message is a frozen value', async (t) => {
  const message = new Message({ queueName: 'default', actorName: 'add', args: [1] })
  t.throws(() => Object.assign(message, { args: [2] }), TypeError)
  t.match(message.messageId, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  t.same(message.kwargs, {})
  t.same(message.options, {})
  t.not(message.messageId, new Message({ queueName: 'default', actorName: 'add', args: [1] }).messageId)
})

t.test('with() makes a changed copy, including ids', async (t) => {
  const message = new Message({ queueName: 'default', actorName: 'add', args: [1], options: { retries: 1 } })
  const copy = message.with({ args: [2], options: { own: 1 } })
  t.same(message.args, [1])
  t.same(copy.args, [2])
  t.same(copy.options, { own: 1 }, 'options are replaced, not merged')
  t.equal(copy.messageId, message.messageId)
  t.equal(copy.messageTimestamp, message.messageTimestamp)
})

t.test('a message inside JSON has its wire format', async (t) => {
  const message = new Message({ queueName: 'default', actorName: 'add', args: [1] })
  t.same(JSON.parse(JSON.stringify({ pipe_target: message })), { pipe_target: message.toWire() })
  t.same(Message.fromWire(JSON.parse(JSON.stringify(message))), message)
})

t.test('only messages can be sent', async (t) => {
  assertMessage(new Message({ queueName: 'default', actorName: 'add', args: [] }))
  for (const other of [undefined, null, {}, 'message', { queueName: 'default', actorName: 'add', args: [] }]) {
    t.throws(() => assertMessage(other), DramatisError)
  }
})

t.test('result() uses the broker that the message was created for, otherwise the default one', async (t) => {
  const broker = new MemoryBroker()
  const other = new MemoryBroker({ middleware: [] })
  t.teardown(() => Promise.all([broker.close(), other.close()]))
  setBroker(other)
  const fields = { queueName: 'default', actorName: 'add', args: [] }
  const message = Message.of<number>(fields, broker)
  await broker.results?.storeResult(message, 3, 60_000)
  t.equal(await message.result(), 3)
  t.equal(await message.with({ options: { changed: true } }).result(), 3)
  await t.rejects(new Message(fields).result(), { constructor: ResultError, message: /Results/ })
})

function asText(body: string | object): string {
  return typeof body === 'string' ? body : JSON.stringify(body)
}
