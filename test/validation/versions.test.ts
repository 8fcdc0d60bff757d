/** Actors with a `version`: messages of older and of newer ones. */
import t from 'tap'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import { actor, Message, Retry, SkipMessage, UnknownVersion, Worker } from '../../lib/index.js'
import { failure, stage, until } from '../support/memory.js'
import { address } from '../support/schemas.js'
import { detour, makePath } from '../support/sqlite-files.js'

function messageOf(version: number | undefined, ...args: unknown[]): Message {
  const options = { store_results: true, ...(version === undefined ? {} : { version }) }
  return new Message({ queueName: 'default', actorName: 'invite', args, options })
}

t.test('a message carries the version of its actor', async (t) => {
  const { actor } = stage(t)
  t.match(actor(() => {}, { actorName: 'second', version: 2 }).message().options, { version: 2 })
  t.notOk('version' in actor(() => {}, { actorName: 'without' }).message().options)
  const restored = actor(() => {}, { actorName: 'restored', version: 2 }).messageWithOptions({
    options: { version: 1 },
  })
  t.match(restored.options, { version: 1 })
})

t.test('arguments of an older version are migrated, and validated afterwards', async (t) => {
  const { broker, actor, work } = stage(t)
  const migrated: unknown[] = []
  actor((to: string) => to, {
    actorName: 'invite',
    version: 2,
    schema: address,
    migrate: async (args, version) => {
      migrated.push(version)
      return version === 0 ? [`${args[0].name}@example.com`] : args
    },
  })
  await work()
  const send = async (message: Message) => broker.results?.get(await broker.enqueue(message))
  t.equal(await send(messageOf(undefined, { name: 'ada' })), 'ada', 'no version counts as 0')
  t.equal(await send(messageOf(1, 'grace@example.com')), 'grace')
  t.equal(await send(messageOf(2, 'alan@example.com')), 'alan')
  t.same(migrated, [0, 1], 'those of this version are not migrated')
  await t.rejects(send(messageOf(1, 'nobody')), failure('InvalidArguments', 'expected an e-mail address'))
})

t.test('without migrate, arguments of an older version are taken as they are', async (t) => {
  const { broker, actor, work } = stage(t)
  actor((to: string) => to, { actorName: 'invite', version: 2 })
  await work()
  t.equal(await broker.results?.get(await broker.enqueue(messageOf(1, 'ada'))), 'ada')
})

t.test('a failed migration is dead-lettered with the reason, without a retry', async (t) => {
  const { broker, actor, work } = stage(t)
  actor((to: string) => to, {
    actorName: 'invite',
    version: 2,
    migrate(args) {
      if (args[0] === 'returns') return args[0]
      return args[0].missing.property
    },
  })
  await work()
  const cases = { throws: /Cannot read properties/, returns: /Expected migrate to return an array .* got "returns"/ }
  for (const [what, says] of Object.entries(cases)) {
    const message = await broker.enqueue(messageOf(1, what))
    await t.rejects(async () => broker.results?.get(message), failure('MigrationFailed', says))
  }
  await broker.join('default')
  const { letters } = await broker.deadLetters('default')
  t.equal(letters.length, 2)
  t.match(letters[0]?.reason, /^MigrationFailed: The arguments of version 1 can't be migrated for the actor "invite"/)
  t.match(letters[0]?.traceback, /at migrate .*versions\.test\.ts/, 'which shows the line in migrate')
})

t.test('a migration may skip a message, or have it retried', async (t) => {
  const { broker, actor, work } = stage(t)
  let attempts = 0
  actor((to: string) => to, {
    actorName: 'invite',
    version: 2,
    migrate(args, version) {
      if (version === 0) throw new SkipMessage('too old')
      if (++attempts === 1) throw new Retry({ delay: 1 })
      return args
    },
  })
  await work()
  t.equal(await broker.results?.get(await broker.enqueue(messageOf(0, 'ada'))), null)
  t.equal(await broker.results?.get(await broker.enqueue(messageOf(1, 'ada'))), 'ada')
  t.equal((await broker.stats('default')).dead, 0)
})

t.test('a message of a newer version waits for a newer worker, with no attempt counted', async (t) => {
  const { broker, actor, work, log } = stage(t)
  const seen: unknown[] = []
  actor((to: string) => void seen.push(to), { actorName: 'invite', version: 2, maxRetries: 0 })
  const settled: unknown[] = []
  broker.use({ afterSettleMessage: (_, { decision, error, delay }) => void settled.push([decision, error, delay]) })
  const worker = await work()
  await broker.enqueue(messageOf(3, 'ada'))
  await until(async () => (await broker.stats('default')).delayed === 1, 'the message to wait')
  await worker.stop()

  const [[decision, error, delay]] = settled as [[string, UnknownVersion, number]]
  t.equal(decision, 'requeue')
  t.ok(error instanceof UnknownVersion)
  t.match(error, { messageVersion: 3, actorVersion: 2, actorName: 'invite' })
  t.ok(delay >= 500 && delay <= 2000, 'it is tried again about a second later')
  t.match(await broker.stats('default'), { dead: 0 })
  const said = log.find(({ text }) => /no attempt counted/.test(text))
  t.match(said, { level: 'warn', text: /of version 3 of the actor "invite", and this worker has version 2/ })
  t.same(seen, [])
})

t.test('the newer worker takes it', async (t) => {
  const path = makePath(t)
  const brokers = [new SQLiteBroker({ path }), new SQLiteBroker({ path: detour(path) })] as const
  const refused = new Promise((resolve) => {
    brokers[0].use({ afterSettleMessage: (_, { error }) => resolve(error) })
  })
  const workers = brokers.map((broker, index) => {
    const version = index + 1
    actor((to: string) => `${to}, version ${version}`, { actorName: 'invite', broker, version })
    return new Worker(broker, { threads: 0 })
  })
  t.teardown(async () => {
    for (const worker of workers) await worker.stop({ timeout: 0 })
    for (const broker of brokers) await broker.close()
  })
  await workers[0]?.start()
  const message = await brokers[0].enqueue(messageOf(2, 'ada'))
  t.ok((await refused) instanceof UnknownVersion)
  await workers[0]?.stop()
  await workers[1]?.start()
  t.equal(await brokers[1].results?.get(message), 'ada, version 2')
})
