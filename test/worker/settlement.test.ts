/** The last word on a delivery: the hook, the line at debug, and how failed attempts are numbered in the log. */
import t, { type Test } from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { actor } from '../../lib/actor.js'
import { SkipMessage } from '../../lib/errors.js'
import { setLogger } from '../../lib/logger.js'
import { Message } from '../../lib/message.js'
import type { Middleware } from '../../lib/middleware.js'
import type { Settlement } from '../../lib/settlement.js'
import { gate, type Stage, stage, until } from '../support/memory.js'

/** Keeps what it is told, and how many messages the queue had delayed and dead at that moment. */
class Watcher implements Middleware {
  readonly seen: (Settlement & { name: unknown; delayed: number; dead: number })[] = []
  async afterSettleMessage(message: Message, settlement: Settlement, broker: import('../../lib/broker.js').Broker) {
    const { delayed, dead } = await broker.stats('default')
    this.seen.push({ name: message.args[0] ?? message.actorName, delayed, dead, ...settlement })
  }
}

/** A stage whose worker runs, with an actor that does as it is told. */
async function setUp(t: Test, ...plugins: Middleware[]): Promise<Stage & { watcher: Watcher; held: () => void }> {
  const watcher = new Watcher()
  const broker = new MemoryBroker()
  // Added first and last: its place makes no difference.
  broker.use(watcher)
  for (const plugin of plugins) broker.use(plugin)
  const staged = stage(t, broker)
  const { opened, open } = gate()
  t.teardown(() => open())
  staged.actor(
    async (how: string) => {
      if (how === 'fails' || how === 'fails twice') throw new RangeError('out of range')
      if (how === 'skips') throw new SkipMessage('not today')
      if (how === 'skips and fails') throw new SkipMessage('never', { fail: true })
      if (how === 'is held') await opened
      return `${how}!`
    },
    { actorName: 'act', maxRetries: 1, minBackoff: 50_000, jitter: false },
  )
  return { ...staged, watcher, held: () => open() }
}

const send = ({ broker }: Stage, how: string, options: Record<string, unknown> = {}): Promise<Message> =>
  broker.enqueue(new Message({ queueName: 'default', actorName: 'act', args: [how], options }))

t.test('afterSettleMessage is told once what became of a delivery, when it is stored', async (t) => {
  const staged = await setUp(t)
  const { broker, watcher } = staged
  await staged.work()
  const tell = async (how: string, options?: Record<string, unknown>): Promise<unknown> => {
    const before = watcher.seen.length
    await send(staged, how, options)
    await until(() => watcher.seen.length > before, `the end of ${how}`)
    return watcher.seen.at(-1)
  }
  t.match(await tell('ends well'), { decision: 'ack', attempt: 1, result: 'ends well!' })
  const retried = await tell('fails')
  const again = {
    decision: 'retry',
    attempt: 1,
    maxAttempts: 2,
    delay: 50_000,
    delayed: 1,
    error: { name: 'RangeError' },
  }
  t.match(retried, again, 'after Retries decided, though it was added last')
  await broker.flushAll()
  t.match(await tell('fails twice', { retries: 1 }), {
    decision: 'dead-letter',
    attempt: 2,
    maxAttempts: 2,
    dead: 1,
    reason: 'RangeError: out of range (after 1 retry)',
    error: { name: 'RangeError' },
  })
  t.match(await tell('skips'), { decision: 'skip', reason: 'not today' })
  t.match(await tell('skips and fails'), { decision: 'dead-letter', reason: 'never', dead: 2 })
  t.match(await tell('is refused', { time_limit: 'soon' }), { decision: 'dead-letter', reason: /time_limit|timeLimit/ })
  t.equal(watcher.seen.length, 6)
})

t.test('afterSettleMessage is told of what goes back to its queue', async (t) => {
  let failures = 1
  const broken: Middleware = {
    name: 'broken',
    essential: true,
    afterProcessMessage({ args }) {
      if (args[0] === 'is not kept' && failures-- > 0) throw new Error('no connection')
    },
  }
  const staged = await setUp(t, broken)
  const { watcher } = staged
  const worker = await staged.work()
  await send(staged, 'is not kept')
  await until(() => watcher.seen.length === 1)
  t.match(watcher.seen[0], { decision: 'requeue', reason: /broken failed: no connection/, delay: Number })
  await send(staged, 'is held')
  await until(async () => (await staged.broker.stats('default')).inFlight === 1)
  await worker.stop({ timeout: 0 })
  t.match(watcher.seen[1], { decision: 'requeue', name: 'is held', attempt: 1 })
})

t.test('a failing afterSettleMessage changes nothing, essential or not', async (t) => {
  const failing: Middleware = {
    name: 'failing',
    essential: true,
    afterSettleMessage() {
      throw new Error('too late')
    },
  }
  const staged = await setUp(t, failing)
  await staged.work()
  await send(staged, 'ends well')
  await until(() => staged.watcher.seen.length === 1)
  await staged.broker.join('default')
  t.equal((await staged.broker.stats('default')).dead, 0)
  t.ok(staged.log.some(({ level, text }) => level === 'error' && text === 'afterSettleMessage of failing failed'))
})

t.test(
  'what an essential plugin does not manage once it is stored undoes nothing, and is told to the others',
  async (t) => {
    const told: string[] = []
    const tell = (hook: string) => (message: Message) =>
      void told.push(`${hook} ${message.args[0] ?? message.actorName}`)
    const fail = async (): Promise<void> => {
      throw new Error('too late')
    }
    const watcher = { name: 'listener', afterEnqueue: tell('enqueued'), afterAck: tell('ack'), afterNack: tell('nack') }
    const failing = { name: 'failing', essential: true, afterEnqueue: fail, afterAck: fail, afterNack: fail }
    // The last is called first.
    const staged = await setUp(t, watcher, failing)
    await staged.work()
    const sent = (how: string, options?: Record<string, unknown>) => send(staged, how, options)
    await sent('ends well')
    await sent('fails twice', { retries: 1 })
    await sent('skips')
    await sent('is refused', { time_limit: 'soon' })
    await until(() => staged.watcher.seen.length >= 4)
    await staged.broker.join('default')
    t.same(staged.watcher.seen.map(({ name, decision }) => `${name}: ${decision}`).sort(), [
      'ends well: ack',
      'fails twice: dead-letter',
      'is refused: dead-letter',
      'skips: skip',
    ])
    t.equal((await staged.broker.stats('default')).dead, 2)
    t.same(told.filter((line) => !line.startsWith('enqueued')).sort(), [
      'ack ends well',
      'ack skips',
      'nack fails twice',
      'nack is refused',
    ])
    t.equal(told.filter((line) => line.startsWith('enqueued')).length, 4)
    t.notOk(staged.log.some(({ text }) => /Not acknowledged|could not be settled/.test(text)))
  },
)

t.test('each message has one line at debug, with its attempt, its duration and what became of it', async (t) => {
  const staged = await setUp(t)
  await staged.work()
  await send(staged, 'ends well')
  await send(staged, 'skips', { retries: 3 })
  await send(staged, 'fails')
  const debug = (): typeof staged.log => staged.log.filter(({ level, fields }) => level === 'debug' && fields.outcome)
  await until(() => debug().length === 3)
  const actorName = 'act'
  t.match(
    new Map(debug().map(({ fields, text }) => [fields.outcome, { fields, text }])),
    new Map([
      ['ack', { text: /^Done: act, \d+ ms$/, fields: { actorName, attempt: 1, duration: Number, messageId: String } }],
      ['skip', { text: /^Skipped: act/, fields: { actorName, attempt: 4, duration: Number } }],
      ['retry', { text: /^Failed, will be retried: act/, fields: { actorName, attempt: 1, duration: Number } }],
    ]),
  )
})

t.test('nothing is written for a message where debug is off', async (t) => {
  const broker = new MemoryBroker()
  const staged = stage(t, broker)
  const done = gate()
  const nothing = (): void => {}
  let lines = 0
  const debug = (fields: object): void => void ('outcome' in fields && lines++)
  setLogger({ debug, info: nothing, warn: nothing, error: nothing, isLevelEnabled: (level) => level !== 'debug' })
  const last = staged.actor(() => done.open(), { actorName: 'last' })
  await staged.work()
  await last.send()
  await done.opened
  await broker.join('default')
  t.equal(lines, 0)
})

t.test('the lines about failures say which attempt it was, of how many, and when the next one is', async (t) => {
  const staged = await setUp(t)
  const { broker, log } = staged
  actor(
    () => {
      throw new RangeError('as often as it likes')
    },
    { broker, actorName: 'endless', maxRetries: null, minBackoff: '2m', jitter: false },
  )
  await staged.work()
  const lines = (): string[] => log.filter(({ level }) => level === 'warn' || level === 'error').map(({ text }) => text)
  await send(staged, 'fails')
  await until(() => lines().length === 1)
  await send(staged, 'fails', { retries: 1 })
  await until(() => lines().length === 2)
  await broker.enqueue(new Message({ queueName: 'default', actorName: 'endless', args: [], options: { retries: 2 } }))
  await until(() => lines().length === 3)
  t.same(lines(), [
    'Failed, attempt 1 of 2, will be retried in 50 seconds: RangeError: out of range',
    'Failed permanently, attempt 2 of 2: RangeError: out of range (after 1 retry)',
    'Failed, attempt 3, will be retried in 8 minutes: RangeError: as often as it likes',
  ])
  t.match(log.find(({ level }) => level === 'warn')?.fields, { attempt: 1, maxAttempts: 2, delay: 50_000 })
})
