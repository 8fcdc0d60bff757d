import { runInNewContext } from 'node:vm'
import t from 'tap'
import { checkSerializable, type Encoder, getEncoder, JSONEncoder, setEncoder } from '../../lib/encoder.js'
import { DecodeError, NotSerializable } from '../../lib/errors.js'
import { Message } from '../../lib/message.js'

t.test('values that JSON represents unchanged are accepted', async (t) => {
  const shared = { a: 1 }
  const bare = Object.assign(Object.create(null) as object, { a: 1 })
  const deep = Array.from({ length: 100 }).reduce<unknown>((inner) => [inner], 1)
  const fine = [
    null,
    true,
    0,
    -1.5,
    '',
    'ünï',
    [],
    {},
    [1, [2, { three: [null] }]],
    { left: undefined },
    [shared, shared],
    bare,
    runInNewContext('({ a: [1] })'),
    deep,
  ]
  for (const value of fine) t.doesNotThrow(() => checkSerializable([value], 'args'))
})

t.test('values that JSON would lose or change are refused, with their path', async (t) => {
  const cycle: Record<string, unknown> = { name: 'loop' }
  cycle.self = { again: cycle }
  class Point {
    x = 1
  }
  const cases: [unknown, string, RegExp][] = [
    [[1n], 'args[0]', /1n.*string/],
    [[{ id: { deep: [undefined] } }], 'args[0].id.deep[0]', /undefined.*null/],
    [[undefined, 1], 'args[0]', /undefined/],
    [[Number.NaN], 'args[0]', /NaN/],
    [[{ 'a b': Number.POSITIVE_INFINITY }], 'args[0]["a b"]', /Infinity/],
    [[{ größe: -Infinity }], 'args[0].größe', /-Infinity/],
    [[() => 1], 'args[0]', /function.*not code/],
    [[function named() {}], 'args[0]', /named/],
    [[Symbol('s')], 'args[0]', /Symbol/],
    [[new Date(0)], 'args[0]', /Date.*toISOString/],
    [[new Map()], 'args[0]', /Map/],
    [[new Set([1])], 'args[0]', /Set/],
    [[Buffer.from('x')], 'args[0]', /Buffer/],
    [[new Point()], 'args[0]', /Point/],
    [[new Error('x')], 'args[0]', /Error/],
    [[cycle], 'args[0].self.again', /cycle/],
    // biome-ignore lint/suspicious/noSparseArray: this tests a hole
    [[[1, , 3]], 'args[0][1]', /undefined/],
  ]
  for (const [value, path, message] of cases) {
    const error = thrown(() => checkSerializable(value, 'args'))
    t.ok(error instanceof NotSerializable, path)
    t.match(error, { path, message })
    t.ok((error as Error).message.startsWith(path))
  }
})

t.test('an invalid value deeper than the quick check is found as well', async (t) => {
  const deep = Array.from({ length: 60 }).reduce<unknown>((inner) => ({ inner }), 1n)
  t.match(
    thrown(() => checkSerializable(deep, 'kwargs')),
    { path: `kwargs${'.inner'.repeat(60)}` },
  )
})

t.test('the encoder can be replaced, and its failures become DecodeErrors', async (t) => {
  const json = getEncoder()
  t.teardown(() => setEncoder(json))
  t.ok(json instanceof JSONEncoder)
  const cause = new Error('no such version')
  const reversing: Encoder = {
    encode: (message) => Buffer.from(JSON.stringify(message)).reverse(),
    decode: (body) => {
      if (body.length === 0) throw cause
      return JSON.parse(
        Buffer.from(body as Uint8Array)
          .reverse()
          .toString(),
      )
    },
  }
  setEncoder(reversing)
  const message = new Message({ queueName: 'default', actorName: 'add', args: ['ü'] })
  const body = message.encode()
  t.ok(body instanceof Uint8Array)
  t.same(Message.decode(body), message)
  const error = thrown(() => Message.decode(new Uint8Array()))
  t.ok(error instanceof DecodeError)
  t.equal((error as Error).cause, cause)
})

function thrown(run: () => void): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return undefined
}
