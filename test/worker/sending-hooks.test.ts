/**
 * Whose hooks are called for what is sent, and where: each plugin's once, in the thread that sends where that has the
 * plugin, on the main thread where only that has it. The same on every broker, however a thread reaches it.
 */
import t, { type Test } from 'tap'
import type { Message } from '../../lib/message.js'
import type { Middleware } from '../../lib/middleware.js'
import { Worker } from '../../lib/worker/worker.js'
import { captureLog } from '../support/log.js'
import { withRedis } from '../support/redis-server.js'
import { makePath } from '../support/sqlite-files.js'

const log = captureLog()
const waitOptions = { timeout: '20s' } as const

type Module = typeof import('../support/actors/sending.js')
type Call = Module['calls'][number]

const sees = ['beforeEnqueue', 'beforeDelayMessage', 'afterEnqueue']
const changes = 'updateOptionsBeforeCreateMessage'

/** The calls of a plugin, in order. */
function of(calls: readonly Call[], plugin: string, onMain: boolean): string[] {
  return calls.filter((one) => one.plugin === plugin && one.onMain === onMain).map(({ hook }) => hook)
}

function testSending(kind: string, address: (t: Test) => string): void {
  t.test(`what is sent on the ${kind} broker passes every plugin once`, async (t) => {
    process.env.SENDING_BROKER = address(t)
    const url = new URL(`../support/actors/sending.ts?${kind}`, import.meta.url).href
    const { broker, calls, relay, sink, Watching }: Module = await import(url)
    class OnMain extends Watching {}
    const Refusal = class implements Middleware {
      readonly name = 'Refusal'
      readonly essential = true
      beforeEnqueue({ actorName, args }: Message): void {
        if (actorName === 'sink' && args[0] === 'refused') throw new Error('not this one')
      }
    }
    broker.use(new OnMain('on main')).use(new Refusal())
    t.teardown(() => broker.close())

    for (const threads of [0, 1]) {
      log.length = 0
      const worker = new Worker(broker, { threads, modules: [url] })
      t.teardown(() => worker.stop({ timeout: 0 }))
      await worker.start()

      calls.length = 0
      const { calls: there } = await (await relay.send('one')).result(waitOptions)
      if (threads === 0) {
        t.same(of(there, 'everywhere', true), [changes, ...sees], 'inline everything is on the main thread')
        t.same(of(there, 'on main', true), [changes, ...sees])
      } else {
        t.same(of(there, 'everywhere', false), [changes, ...sees], 'in the thread, which has the plugin')
        t.same(of(there, 'in threads', false), [changes, ...sees], 'which has one of its own')
        t.same(of(calls, 'on main', true), sees, 'on the main thread, which alone has the plugin')
        t.same(of(calls, 'everywhere', true), [], 'and not on both')
        const warnings = log.filter(({ level }) => level === 'warn').map(({ text }) => text)
        t.match(
          warnings,
          [/don't have the plugin on main.* updateOptionsBeforeCreateMessage/],
          'what is not made up for',
        )
        t.equal(warnings.length, 1)
      }

      const { failed } = await (await relay.send('refused')).result(waitOptions)
      t.equal(failed, 'HookFailed: beforeEnqueue of Refusal failed: not this one', 'an essential plugin can refuse it')

      calls.length = 0
      await sink.sendWithOptions({ args: ['from the main thread'], delay: 1 })
      t.same(of(calls, 'everywhere', true), [changes, ...sees])
      t.same(of(calls, 'on main', true), [changes, ...sees])
      await worker.stop({ timeout: 0 })
    }
  })
}

testSending('memory', () => 'memory')
testSending('SQLite', (t) => makePath(t))
await withRedis((server) => testSending('Redis', () => server.url))
