import t from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { Message } from '../../lib/message.js'
import type { Middleware } from '../../lib/middleware.js'
import { Outcome } from '../../lib/outcome.js'
import { Retries } from '../../middleware/retries.js'
import { stage } from '../support/memory.js'

/** The calls that plugins may make, one per plugin, in order. */
const steps = ['retry a', 'retry b', 'give up r', 'give up s', 'send m'] as const
type Step = (typeof steps)[number]

/** Every sequence of one to three of them. */
function orders(): Step[][] {
  const all: Step[][] = []
  const extend = (begun: Step[]): void => {
    if (begun.length > 0) all.push(begun)
    if (begun.length < 3) for (const step of steps) if (!begun.includes(step)) extend([...begun, step])
  }
  extend([])
  return all
}

/** The table in docs/middleware.md: the last decision counts, and messages passed to send() are sent as well. */
function expected(order: Step[], fails: boolean): { ran: string[]; reasons: string[]; result: unknown } {
  const last = order.findLast((step) => step !== 'send m')
  const sent = order.includes('send m') ? ['m'] : []
  const own = fails ? [] : ['next']
  const first = ['first']
  if (last?.startsWith('retry')) {
    return { ran: [...first, ...sent, last.slice(6), 'next'].toSorted(), reasons: [], result: last.slice(6) }
  }
  if (last) {
    const reason = last.slice(8)
    return {
      ran: [...first, ...sent].toSorted(),
      reasons: [reason],
      result: fails ? 'failed: Error no' : `failed: DramatisError ${reason}`,
    }
  }
  const reasons = fails ? ['Error: no'] : []
  return { ran: [...first, ...sent, ...own].toSorted(), reasons, result: fails ? 'failed: Error no' : 'first' }
}

/** Three plugins that each make the call that the message contains, in order. */
function plugins(other: (name: string) => Message): Middleware[] {
  return [2, 1, 0].map((index) => ({
    name: `plugin ${index}`,
    essential: true,
    afterProcessMessage(message, outcome) {
      const step = (message.options.steps as Step[] | undefined)?.[index]
      const copy = (name: string): Message => message.with({ args: [name], options: { ...message.options, steps: [] } })
      if (step === 'retry a') outcome.retry(copy('a'), 1)
      if (step === 'retry b') outcome.retry(copy('b'), '1ms')
      if (step === 'give up r') outcome.deadLetter('r')
      if (step === 'give up s') outcome.deadLetter('s')
      if (step === 'send m') outcome.send(other('m'))
    },
  }))
}

for (const position of ['before', 'after'] as const) {
  t.test(`the last decision counts, whatever their order, in plugins added ${position} the others`, async (t) => {
    const broker = new MemoryBroker()
    broker.use(new Retries({ maxRetries: 0 }))
    const s = stage(t, broker)
    let ran: string[] = []
    const run = s.actor(
      async (name: string, _passed?: unknown) => {
        ran.push(name)
        return name
      },
      { actorName: 'run' },
    )
    const job = s.actor(
      async (name: string, fails?: boolean) => {
        ran.push(name)
        if (fails) throw new Error('no')
        return name
      },
      { actorName: 'job', storeResults: true },
    )
    for (const plugin of plugins((name) => run.message(name))) {
      broker.use(plugin, position === 'before' ? { before: Retries } : {})
    }
    await s.work()
    const next = run.message('next').toWire()
    for (const fails of [false, true]) {
      for (const order of orders()) {
        ran = []
        const message = await job.sendWithOptions({
          args: ['first', fails],
          options: { steps: order, pipe_target: next },
        })
        await broker.join('default', { timeout: '10s' })
        const result = await message.result({ timeout: 0 }).catch((error) => `failed: ${error.type} ${error.reason}`)
        const { letters } = await broker.deadLetters('default')
        const seen = { ran: ran.toSorted(), reasons: letters.map(({ reason }) => reason), result }
        t.same(seen, expected(order, fails), `${fails ? 'a failure' : 'a success'}: ${order.join(', ')}`)
        for (const { id } of letters) await broker.deleteDeadLetter(id)
      }
    }
  })
}

t.test('a message that a plugin dead-letters instead of Retries is dead-lettered once', async (t) => {
  for (const where of [{ before: Retries }, { after: Retries }]) {
    const s = stage(t, new MemoryBroker())
    let runs = 0
    const job = s.actor(
      async () => {
        runs++
        throw new Error('no')
      },
      { actorName: 'job', maxRetries: 3, minBackoff: 1, maxBackoff: 1 },
    )
    s.broker.use({ name: 'judge', afterProcessMessage: (_, outcome) => outcome.deadLetter('hopeless') }, where)
    await s.work()
    await job.send()
    await s.broker.join('default', { timeout: '10s' })
    const { letters } = await s.broker.deadLetters('default')
    t.match(letters, [{ reason: 'hopeless' }])
    t.equal(runs, 1, 'Retries decides only if no other plugin did')
  }
})

t.test('onRetryExhausted isn’t called for a message that another plugin retries', async (t) => {
  const s = stage(t, new MemoryBroker())
  let told = 0
  const tell = s.actor(() => void told++, { actorName: 'tell' })
  const job = s.actor(
    async (fails: boolean) => {
      if (fails) throw new Error('no')
    },
    { actorName: 'job', maxRetries: 0, onRetryExhausted: tell },
  )
  const merciful: Middleware = {
    name: 'merciful',
    afterProcessMessage(message, outcome) {
      if (outcome.error) outcome.retry(message.with({ args: [false] }), 1)
    },
  }
  s.broker.use(merciful, { before: Retries })
  await s.work()
  await job.send(true)
  await s.broker.join('default', { timeout: '10s' })
  t.equal(told, 0)
  t.equal((await s.broker.stats('default')).dead, 0)
})

t.test('once the decision is final, plugins may no longer decide, but may send', async (t) => {
  const message = new Message({ queueName: 'default', actorName: 'job', args: [] })
  const outcome = new Outcome(message, 1, undefined)
  outcome.conclude()
  t.throws(() => outcome.retry(message, 1), { message: /is final: decide in afterProcessMessage/ })
  t.throws(() => outcome.deadLetter('late'), { message: /is final/ })
  outcome.send(message)
  t.equal(outcome.sends.length, 1)
  t.equal(outcome.decision, 'ack')
})

t.test('a send that is too late throws, instead of being ignored', async (t) => {
  const s = stage(t, new MemoryBroker())
  const next = s.actor(() => {}, { actorName: 'next' })
  const job = s.actor((_kind: string) => {}, { actorName: 'job' })
  const late: Outcome[] = []
  s.broker.use({
    name: 'absentminded',
    async afterProcessMessage(message, outcome) {
      if (message.actorName !== 'job') return
      late.push(outcome)
      if (message.args[0] === 'also in time') outcome.send(next.message())
    },
  })
  await s.work()
  for (const kind of ['only late', 'also in time']) await job.send(kind)
  await s.broker.join('default', { timeout: '10s' })
  t.equal(late.length, 2)
  for (const outcome of late) {
    t.throws(() => outcome.send(next.message()), { message: /is being settled, and nothing more can be sent with it/ })
  }
})
