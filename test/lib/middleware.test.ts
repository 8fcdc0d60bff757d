import t from 'tap'
import type { Broker } from '../../lib/broker.js'
import { Chain } from '../../lib/chain.js'
import { DramatisError, HookFailed, SkipMessage } from '../../lib/errors.js'
import { getLogger, setLogger } from '../../lib/logger.js'
import { Message } from '../../lib/message.js'
import type { Middleware } from '../../lib/middleware.js'

const broker = {} as Broker
const message = new Message({ queueName: 'default', actorName: 'add', args: [] })

/** The lines that are logged while a test runs. */
function listen(t: { teardown(done: () => void): void }): { fields: object; text: string }[] {
  const logged: { fields: object; text: string }[] = []
  const logger = getLogger()
  t.teardown(() => setLogger(logger))
  const note = (fields: object, text: string): void => void logged.push({ fields, text })
  setLogger({ debug: note, info: note, warn: note, error: note })
  return logged
}

/** A chain of plugins that record the calls of their hooks. */
function recorded(names: readonly string[], isAsync = false): { chain: Chain; log: string[] } {
  const chain = new Chain()
  const log: string[] = []
  for (const name of names) {
    const write = (what: string): Promise<void> | undefined => {
      log.push(`${what} ${name}`)
      return isAsync ? Promise.resolve() : undefined
    }
    chain.add({
      name,
      beforeAck: () => write('before'),
      afterAck: () => write('after'),
      async aroundProcess(_, next) {
        write('into')
        const result = await next()
        write('out of')
        return result
      },
    })
  }
  return { chain, log }
}

for (const isAsync of [false, true]) {
  t.test(`before hooks run in order, after hooks in reverse (${isAsync ? 'async' : 'sync'})`, async (t) => {
    const { chain, log } = recorded(['a', 'b', 'c'], isAsync)
    await chain.emit('beforeAck', message, broker)
    await chain.emit('afterAck', message, broker)
    t.same(log, ['before a', 'before b', 'before c', 'after c', 'after b', 'after a'])
  })
}

t.test('hooks that no plugin implements, and sync hooks, return no promise', async (t) => {
  const { chain } = recorded(['a'])
  t.equal(chain.emit('beforeEnqueue', message, undefined, broker), undefined)
  t.equal(chain.has('beforeEnqueue'), false)
  t.equal(chain.emit('beforeAck', message, broker), undefined)
  t.equal(chain.has('beforeAck'), true)
  t.equal(new Chain().emit('beforeAck', message, broker), undefined)
  t.ok(recorded(['a'], true).chain.emit('beforeAck', message, broker) instanceof Promise)
})

t.test('an async hook has ended before the next is called', async (t) => {
  const log: string[] = []
  const chain = new Chain()
  chain.add({
    beforeAck: async () => {
      await new Promise(setImmediate)
      log.push('slow')
    },
  })
  chain.add({ beforeAck: () => void log.push('quick') })
  await chain.emit('beforeAck', message, broker)
  t.same(log, ['slow', 'quick'])
})

t.test('aroundProcess nests, the plugin added first outermost', async (t) => {
  const { chain, log } = recorded(['a', 'b'])
  const result = await chain.around(message, async () => log.push('run'), broker)
  t.equal(result, 3, 'the return value of the actor is passed on')
  t.same(log, ['into a', 'into b', 'run', 'out of b', 'out of a'])
  t.equal(await new Chain().around(message, async () => 'bare', broker), 'bare')
})

t.test('an error of the actor passes through every aroundProcess unchanged', async (t) => {
  const { chain } = recorded(['a', 'b'])
  const error = new Error('from the actor')
  await t.rejects(
    chain.around(message, () => Promise.reject(error), broker),
    error,
  )
  const seen: unknown[] = []
  chain.add({ aroundProcess: (_, next) => next().catch((reason: unknown) => void seen.push(reason)) })
  await t.rejects(
    chain.around(message, () => Promise.reject(error), broker),
    error,
    'a plugin that is not essential can not suppress it',
  )
  t.same(seen, [error])
})

t.test('calling next twice is an error, and the actor runs once', async (t) => {
  const logged = listen(t)
  const chain = new Chain()
  chain.add({
    name: 'doubler',
    async aroundProcess(_, next) {
      await next()
      return next()
    },
  })
  let runs = 0
  t.equal(await chain.around(message, async () => ++runs, broker), 1)
  t.match(logged, [{ text: /aroundProcess of doubler failed/, fields: { err: { message: /more than once/ } } }])
})

t.test('the actor runs even if a plugin that is not essential does not call next', async (t) => {
  const chain = new Chain()
  chain.add({ aroundProcess: () => 'instead' })
  t.equal(await chain.around(message, async () => 'result', broker), 'result')
})

t.test('the failure of a plugin that is not essential is logged with its name and has no effect', async (t) => {
  const logged = listen(t)
  class Watcher implements Middleware {
    beforeAck(): void {
      throw new Error('blind')
    }

    async afterAck(): Promise<void> {
      throw new Error('blind as well')
    }

    async aroundProcess(_: Message, next: () => Promise<unknown>): Promise<unknown> {
      await next()
      throw new Error('blind at last')
    }
  }
  const log: string[] = []
  const chain = new Chain()
  chain.add(new Watcher())
  chain.add({ beforeAck: () => void log.push('before'), afterAck: () => void log.push('after') })
  await chain.emit('beforeAck', message, broker)
  await chain.emit('afterAck', message, broker)
  t.same(log, ['before', 'after'])
  t.equal(await chain.around(message, async () => 'result', broker), 'result')
  t.same(
    logged.map(({ text }) => text),
    ['beforeAck of Watcher failed', 'afterAck of Watcher failed', 'aroundProcess of Watcher failed'],
  )
})

t.test('the failure of an essential plugin aborts the operation', async (t) => {
  listen(t)
  const cause = new Error('no connection')
  const fail = (): never => {
    throw cause
  }
  const later: string[] = []
  const chain = new Chain()
  chain.add({ name: 'keeper', essential: true, beforeAck: fail, afterProcessBoot: async () => fail() })
  chain.add({ beforeAck: () => void later.push('beforeAck') })
  t.throws(() => chain.emit('beforeAck', message, broker), {
    constructor: HookFailed,
    plugin: 'keeper',
    hook: 'beforeAck',
    cause,
    message: 'beforeAck of keeper failed: no connection',
  })
  t.same(later, [])
  await t.rejects(chain.emit('afterProcessBoot', broker) as Promise<void>, HookFailed)
})

t.test('an essential aroundProcess that fails after the actor ran stops the acknowledgement', async (t) => {
  listen(t)
  const chain = new Chain()
  chain.add({
    name: 'keeper',
    essential: true,
    async aroundProcess(_, next) {
      await next()
      throw new Error('could not keep it')
    },
  })
  await t.rejects(
    chain.around(message, async () => 'result', broker),
    HookFailed,
  )
})

t.test('SkipMessage and Retry are not failures, whichever plugin throws them', async (t) => {
  const logged = listen(t)
  const chain = new Chain()
  chain.add({
    beforeProcessMessage() {
      throw new SkipMessage('not today')
    },
  })
  t.throws(() => chain.emit('beforeProcessMessage', message, broker), SkipMessage)
  t.same(logged, [])
})

t.test('plugins are added before or after another, instead of one of their class, or at the end', async (t) => {
  class A implements Middleware {}
  class B implements Middleware {}
  class C implements Middleware {}
  class D implements Middleware {}
  const chain = new Chain()
  const order = (): string[] => chain.plugins.map((plugin) => plugin.constructor.name)
  chain.add(new B())
  chain.add(new A(), { before: B })
  chain.add(new D())
  chain.add(new C(), { after: B })
  t.same(order(), ['A', 'B', 'C', 'D'])

  const twin = new B()
  chain.add(twin)
  t.same(order(), ['A', 'B', 'C', 'D'])
  t.equal(chain.plugins[1], twin)

  chain.add(new B(), { after: D })
  t.same(order(), ['A', 'C', 'D', 'B'])

  chain.add(new A(), { before: A })
  t.same(order(), ['A', 'C', 'D', 'B'], 'before or after its own class means in its place')

  chain.add({ name: 'plain' })
  chain.add({ name: 'plain' })
  t.equal(chain.plugins.length, 6, 'plain objects replace no other plugin')

  class Absent implements Middleware {}
  t.throws(() => chain.add(new A(), { before: Absent }), { constructor: DramatisError, message: /There is no Absent/ })
  t.same(order().slice(0, 4), ['A', 'C', 'D', 'B'], 'and nothing has changed')
})

t.test('options of a new message pass through every plugin', async (t) => {
  const chain = new Chain()
  chain.add({ updateOptionsBeforeCreateMessage: (options) => ({ ...options, one: 1 }) })
  chain.add({ updateOptionsBeforeCreateMessage: (options) => ({ ...options, two: options.one }) })
  t.same(chain.updateOptions({ own: 0 }, {} as never, broker), {
    own: 0,
    one: 1,
    two: 1,
  })
})

t.test('a hook may return any thenable, which is awaited', async (t) => {
  const chain = new Chain()
  let asked = 0
  const query = {
    // biome-ignore lint/suspicious/noThenProperty: this tests a thenable
    then(_resolve: unknown, reject: (error: Error) => void) {
      asked++
      reject(new Error('no connection'))
    },
  }
  chain.add({ name: 'Keeper', essential: true, beforeAck: () => query as unknown as Promise<void> })
  await t.rejects(async () => chain.emit('beforeAck', {} as never, {} as never), {
    message: /Keeper failed: no connection/,
  })
  t.equal(asked, 1)
})
