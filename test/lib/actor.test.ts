/** Which values can be an actor, and how an actor behaves when it is called as a function. */
import { mock } from 'node:test'
import t from 'tap'
import { actor, current } from '../../lib/index.js'
import { stage } from '../support/memory.js'

// biome-ignore lint/suspicious/noExplicitAny: values that aren't functions for the compiler
const anything = (value: unknown): any => value

t.test('a value that does no work when it is called is refused, with its kind', async (t) => {
  class Mailer {
    *parts(): Generator<number> {
      yield 1
    }
  }
  const existing = actor(function existing() {})
  const cases: [string, unknown, RegExp][] = [
    [
      'a generator function',
      function* walk() {},
      /the generator function "walk": calling it runs nothing\. Write an async/,
    ],
    ['an async generator function', async function* walk() {}, /the generator function "walk"/],
    ['a bound one', function* walk() {}.bind(null), /the generator function "bound walk"/],
    ['a method', Mailer.prototype.parts, /the generator function "parts"/],
    ['a class', Mailer, /the class "Mailer", which can't be called/],
    ["one of the language's", Map, /the class "Map"/],
    ['an actor', existing, /the actor "existing", which is one already/],
    ['a promise', Promise.resolve(), /a promise: give the function, without calling it/],
    ['null', null, /got null/],
    ['nothing', undefined, /got undefined/],
    ['a name', 'add', /got "add"/],
    ['an object', { call() {} }, /got an object/],
  ]
  for (const [what, value, message] of cases) {
    t.throws(
      () => actor(anything(value), { actorName: 'refused' }),
      { name: 'InvalidOption', option: 'fn', message },
      what,
    )
  }
})

t.test('every function that does its work when it is called is accepted', async (t) => {
  const object = {
    async method(n: number) {
      return n
    },
  }
  for (const [name, fn] of Object.entries({
    arrow: (n: number) => n,
    method: object.method,
    bound: object.method.bind(object),
    proxied: new Proxy(object.method, {}),
  })) {
    t.equal(await actor(fn, { actorName: `taken_${name}` })(3), 3, name)
  }
})

/** The return value of a generator function that was compiled to JavaScript without generators. */
function compiledGenerator(method: symbol): object {
  const generator = {
    next: () => ({ value: 1, done: false }),
    throw: () => ({ value: undefined, done: true }),
    return: () => ({ value: undefined, done: true }),
    [method]: () => generator,
  }
  return generator
}

t.test(
  'a generator function that looks like another function is recognised by its return value, and not retried',
  async (t) => {
    const { broker, actor, work } = stage(t)
    const walk = actor(() => compiledGenerator(Symbol.iterator) as never, { actorName: 'walk' })
    const stroll = actor(() => compiledGenerator(Symbol.asyncIterator) as never, { actorName: 'stroll' })
    const keys = actor(() => void new Map().keys(), { actorName: 'keys' })
    const page = actor(async () => ({ next: 1 }), { actorName: 'page', storeResults: true })
    await work()
    for (const one of [walk, stroll, keys]) await one.send()
    t.same(await (await page.send()).result(), { next: 1 })
    await broker.join('default')
    const { letters } = await broker.deadLetters('default')
    t.match(
      letters.map(({ reason }) => reason),
      [/The actor "walk" returned a generator, of which nothing has run/, /The actor "stroll" returned a generator/],
    )
    t.equal(letters.length, 2)
  },
)

t.test('an actor that uses current() can be called like any function', async (t) => {
  const inner = actor(async (n: number) => current().message.args[0] === n, { actorName: 'direct' })
  const outer = actor(
    async (_text: string, options?: { deep: boolean }) => {
      await Promise.resolve()
      const { message, signal } = current()
      return { args: message.args, name: message.actorName, queue: message.queueName, over: signal.aborted, options }
    },
    { actorName: 'elsewhere', queueName: 'images' },
  )
  t.same(await outer('a', { deep: true }), {
    args: ['a', { deep: true }],
    name: 'elsewhere',
    queue: 'images',
    over: false,
    options: { deep: true },
  })
  t.equal(await inner(1), true)
  t.throws(() => current(), /current\(\) is only there while an actor runs/)
})

t.test('an actor called by another one sees the message of the caller', async (t) => {
  const { actor, work } = stage(t)
  const inner = actor(async () => current().message.messageId, { actorName: 'inner' })
  const outer = actor(async () => inner(), { actorName: 'outer', storeResults: true })
  await work()
  const message = await outer.send()
  t.equal(await message.result(), message.messageId)
})

t.test('send of an actor can be mocked and restored', async (t) => {
  const { actor } = stage(t)
  const add = actor((a: number, b: number) => a + b, { actorName: 'add' })
  for (const name of ['send', 'sendWithOptions', 'sendMany', 'message', 'messageWithOptions', 'fn'] as const) {
    const spied = mock.method(add as unknown as Record<string, () => unknown>, name, () => 'mocked')
    t.equal((add as unknown as Record<string, () => unknown>)[name]?.(), 'mocked', name)
    t.equal(spied.mock.callCount(), 1)
    spied.mock.restore()
  }
  t.equal(await add(1, 2), 3)
  t.match(await add.send(1, 2), { args: [1, 2] })
})
