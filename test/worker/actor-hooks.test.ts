/** Hooks that are called where the actor runs: on a thread, and on the main event loop where that takes its place. */
import { BroadcastChannel } from 'node:worker_threads'
import t from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { setBroker } from '../../lib/default-broker.js'
import { Worker } from '../../lib/worker/worker.js'
import { captureLog } from '../support/log.js'
import { failure, until } from '../support/memory.js'

const log = captureLog()
// What threads log is their own.
process.env.DRAMATIS_LOG_LEVEL = 'silent'
const broker = new MemoryBroker()
setBroker(broker)
const actors = await import('../support/actors/hooked.js')
const modules = [new URL('../support/actors/hooked.ts', import.meta.url).href]
const waitOptions = { timeout: '20s' } as const

const heard: { what: string; isMainThread: boolean; session: string }[] = []
let sessions = 0
const channel = new BroadcastChannel('hooked')
channel.onmessage = (event: unknown): void => void heard.push((event as { data: (typeof heard)[0] }).data)
t.teardown(() => {
  channel.close()
  return broker.close()
})

for (const threads of [0, 1]) {
  const where = threads === 0 ? 'inline' : 'on a thread'

  // One for all tests, until the last but one stops it.
  let worker: Worker | undefined
  const work = async (): Promise<Worker> => {
    if (worker) return worker
    process.env.HOOKED_SESSION = `${++sessions}`
    const started = new Worker(broker, { threads, concurrency: 4, modules })
    t.teardown(() => started.stop({ timeout: 0 }))
    await started.start()
    worker = started
    return started
  }

  t.test(`aroundActor surrounds the function where it runs, the plugin added first outermost (${where})`, async (t) => {
    await work()
    const result = await (await actors.surrounded.send('well')).result(waitOptions)
    t.equal(result.isMainThread, threads === 0)
    t.same(result.trail, ['outer around true', 'watcher', 'transaction'], 'current() was there')
  })

  t.test(`a plugin that only watches changes nothing, whatever it does (${where})`, async (t) => {
    await work()
    for (const how of ['watcher fails before', 'watcher fails after']) {
      const message = await actors.surrounded.send(how)
      t.match(await message.result(waitOptions), { how })
      t.equal(await (await actors.tried.send(message.messageId)).result(waitOptions), 1, 'run once')
      if (threads === 0) t.ok(log.splice(0).some(({ text }) => text === 'aroundActor of Watcher failed'))
    }
    await t.rejects((await actors.surrounded.send('throw')).result(waitOptions), failure('TypeError', 'from the actor'))
  })

  t.test(
    `an essential plugin may change the result, and fail the attempt with an error of its own (${where})`,
    async (t) => {
      await work()
      t.equal(await (await actors.replaced.send('replace')).result(waitOptions), 'committed replace')
      await t.rejects(
        (await actors.replaced.send('conflict')).result(waitOptions),
        failure('RangeError', 'could not commit'),
      )
      await t.rejects(
        (await actors.stubborn.send('conflict')).result(waitOptions),
        failure('RangeError', 'could not commit'),
      )
      const { letters } = await broker.deadLetters('default')
      t.match(letters.at(-1)?.reason, /after 1 retry/, 'retryWhen saw its code')
    },
  )

  t.test(`SkipMessage from around an actor skips it (${where})`, async (t) => {
    await work()
    t.equal(await (await actors.surrounded.send('skip')).result(waitOptions), null)
  })

  t.test(`the time of what surrounds the actor is the actor's time (${where})`, async (t) => {
    await work()
    await t.rejects((await actors.hanging.send('hang')).result(waitOptions), failure('TimeLimitExceeded'))
  })

  t.test(`a thread's hooks are called once, before its first actor and when it stops (${where})`, async (t) => {
    const worker = await work()
    const before = await (await actors.hooksOfThread.send()).result(waitOptions)
    t.equal(before.at(-1), 'start')
    await worker.stop()
    const own = (): typeof heard => heard.filter(({ session }) => session === `${sessions}`)
    await until(() => own().some(({ what }) => what === 'stop'), 'the end of the thread')
    // The thread of the actor that hung was terminated, and another one started in its place.
    const whats = threads === 0 ? ['start', 'stop'] : ['start', 'start', 'stop']
    t.same(
      own().map(({ what }) => what),
      whats,
    )
    t.ok(own().every(({ isMainThread }) => isMainThread === (threads === 0)))
  })

  t.test(`a worker doesn't start when an essential plugin fails in afterThreadStart (${where})`, async (t) => {
    process.env.HOOKED_FAILS = 'yes'
    t.teardown(() => delete process.env.HOOKED_FAILS)
    const worker = new Worker(broker, { threads, modules })
    await t.rejects(worker.start(), { name: 'HookFailed', plugin: 'Outer', hook: 'afterThreadStart' })
  })
}
