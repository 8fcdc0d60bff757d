/** `drain`: runs everything until nothing is left. */
import t from 'tap'
import { remoteActor } from '../../lib/actor.js'
import { batchActor } from '../../lib/batch-actor.js'
import { flaky, openTestBroker as open, Refused } from '../support/test-broker.js'

t.test('drain runs delayed messages and retries, each at its time', async (t) => {
  const { broker, actor } = open(t)
  const start = broker.clock.now()
  const times: number[] = []
  const job = actor(
    async () => {
      times.push(Math.round((broker.clock.now() - start) / 1000))
      if (times.length < 4) throw new Error('not yet')
    },
    { actorName: 'job', minBackoff: '1h', jitter: false },
  )
  await job.sendWithOptions({ delay: '1d' })
  await broker.drain()
  t.same(times, [86_400, 90_000, 97_200, 111_600])
  t.match(await broker.stats('default'), { ready: 0, delayed: 0, inFlight: 0, dead: 0 })
})

t.test('drain throws with the reasons of dead letters, and what the actor threw as the cause', async (t) => {
  const { broker, actor } = open(t)
  const job = flaky({ actor }, 3, { maxRetries: 2 })
  await job.send('ada')
  const error = await broker.drain().catch((error: unknown) => error)
  t.match(error, {
    name: 'AssertionError',
    message:
      'Expected every message to succeed; 1 was dead-lettered:\n  flaky3("ada"): Refused: ada is refused (after 2 retries)',
  })
  t.ok((error as Error).cause instanceof Refused)
  await broker.drain()
  await job.send('bob')
  await broker.drain()
  await flaky({ actor }, 9, { maxRetries: 0 }).send('eve')
  await broker.drain({ failOnDeadLetter: false })
  t.equal((await broker.deadLetters('default')).letters.length, 2)
})

t.test('drain runs what a hook sends after the last settlement', async (t) => {
  const { broker, actor } = open(t)
  const runs: number[] = []
  const job = actor(async (left: number) => void runs.push(left), { actorName: 'job' })
  broker.use({
    async afterSettleMessage({ args: [left] }) {
      await new Promise(setImmediate)
      if ((left as number) > 0) await job.sendWithOptions({ args: [(left as number) - 1], delay: '1h' })
    },
  })
  await job.send(2)
  await broker.drain()
  t.same(runs, [2, 1, 0])
})

t.test('drain moves the clock for a batch that gathers', async (t) => {
  const { broker } = open(t)
  const batches: number[][] = []
  const insert = batchActor(async (rows: number[]) => void batches.push(rows), {
    actorName: 'insert',
    size: 3,
    linger: '1h',
    broker,
  })
  await insert.sendMany([[1], [2], [3], [4]])
  await insert.sendWithOptions({ args: [5], delay: '1d' })
  await broker.drain()
  t.same(batches, [[1, 2, 3], [4], [5]])
  await broker.perform(insert, [6])
  t.same(batches.at(-1), [6])
})

t.test('drain does not move the clock while an actor runs', async (t) => {
  const { broker, actor } = open(t)
  let ended = 0
  const slow = actor(
    async () => {
      await new Promise((resolve) => setTimeout(resolve, 80))
      ended = broker.clock.now()
    },
    { actorName: 'slow', timeLimit: '1m' },
  )
  await slow.send()
  const last = slow.sendWithOptions({ delay: '1h' })
  const before = broker.clock.now()
  await last
  await broker.drain()
  t.ok(ended >= before + 3_600_000)
  t.match(await broker.stats('default'), { dead: 0 })
})

t.test('drain that comes to no end says what is left', async (t) => {
  const { broker, actor } = open(t)
  const endless = actor((_name: string) => new Promise<void>(() => {}), { actorName: 'endless' })
  await endless.send('ada')
  await t.rejects(broker.drain({ within: 50 }), {
    name: 'AssertionError',
    message: /within 50 ms\. Left in the queues: 0 ready, 1 in flight \(running: endless\("ada"\)\), 0 delayed\.$/,
  })
  const other = open(t)
  const forever = other.actor(async () => void (await forever.sendWithOptions({ delay: '1d' })), {
    actorName: 'forever',
  })
  await forever.send()
  await t.rejects(other.broker.drain({ within: 50 }), {
    message: /Left in the queues: .* 1 delayed \(the first by \d+ ms/,
  })
})

t.test('drain leaves messages alone whose actor is elsewhere', async (t) => {
  const { broker, actor } = open(t)
  const remote = remoteActor<[string]>('greet', { queueName: 'python', broker })
  await remote.send('ada')
  await flaky({ actor }, 0).send('ada')
  await broker.drain()
  await broker.assertSent(remote, ['ada'])
  t.match(await broker.stats('python'), { ready: 1 })
})
