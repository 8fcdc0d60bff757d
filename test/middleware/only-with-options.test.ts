/** Plugins that have something to do only for messages with certain options. */
import t from 'tap'
import type { Message } from '../../lib/message.js'
import type { Middleware } from '../../lib/middleware.js'
import { declareOptions, flag } from '../../lib/options.js'
import type { SettlementStep } from '../../lib/state/steps.js'
import { openTestBroker } from '../support/test-broker.js'

declare module '../../lib/actor-options.js' {
  interface MessageOptions {
    watched?: boolean | undefined
  }
}

declareOptions({ watched: { wire: 'is_watched', read: flag } })

/** Notes which hooks are called for which message. */
class Watching implements Middleware {
  readonly onlyWithOptions = ['watched', 'foreign_option']
  readonly calls: string[] = []

  beforeStoreMessage({ args }: Message): undefined {
    this.calls.push(`store ${args[0]}`)
  }

  beforeProcessMessage({ args }: Message): void {
    this.calls.push(`before ${args[0]}`)
  }

  afterProcessMessage({ args }: Message): void {
    this.calls.push(`after ${args[0]}`)
  }

  beforeSettleMessage({ args }: Message): void {
    this.calls.push(`settle ${args[0]}`)
  }

  beforeStoreSettlement({ args }: Message, _: unknown, __: SettlementStep): void {
    this.calls.push(`settled ${args[0]}`)
  }
}

const run = (name: string): string[] => ['before', 'after', 'settle', 'settled'].map((call) => `${call} ${name}`)

t.test('a plugin with onlyWithOptions is called for messages that have one of them, and no other', async (t) => {
  const { actor, broker } = openTestBroker(t)
  const plugin = new Watching()
  broker.use(plugin)
  const job = actor((_: string) => {}, { actorName: 'job' })
  for (const options of [
    { args: ['without'] },
    { args: ['own'], watched: true },
    { args: ['foreign'], options: { foreign_option: 1 } },
    { args: ['other'], maxRetries: 1 },
  ] as const) {
    await job.sendWithOptions({ ...options, args: [options.args[0]] })
    await broker.drain()
  }
  t.same(plugin.calls, ['store own', ...run('own'), 'store foreign', ...run('foreign')])
})

t.test('it is called where the actor has one of them', async (t) => {
  const { actor, broker } = openTestBroker(t)
  const plugin = new Watching()
  broker.use(plugin)
  const job = actor((_: string) => {}, { actorName: 'job', watched: false })
  await job.send('job')
  await broker.drain()
  t.same(plugin.calls, run('job'), 'a message that carries none is stored without it')
})

t.test('a plugin that is added later counts, and one without limits is always called', async (t) => {
  const { actor, broker } = openTestBroker(t)
  const job = actor((_: string) => {}, { actorName: 'job' })
  await job.send('first')
  await broker.drain()
  const plugin = new Watching()
  const seen: unknown[] = []
  broker.use(plugin)
  broker.use({ beforeProcessMessage: ({ args }) => void seen.push(args[0]) })
  await job.send('second')
  await job.sendWithOptions({ args: ['third'], watched: true })
  await broker.drain()
  t.same(plugin.calls, ['store third', ...run('third')])
  t.same(seen, ['second', 'third'])
})
