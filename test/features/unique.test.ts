/** Unique messages, on every broker. */
import { actor } from '../../lib/actor.js'
import type { Broker } from '../../lib/broker.js'
import { RateLimitExceeded } from '../../lib/errors.js'
import { lockKey } from '../../lib/unique/lock.js'
import type { UniqueMessage } from '../../lib/unique/option.js'
import { onEachBroker } from '../support/each-broker.js'
import { gate, until } from '../support/memory.js'

/** The keys that are held. */
async function isHeld(broker: Broker, message: { option(name: string): unknown }): Promise<boolean> {
  const { key } = message.option('unique') as UniqueMessage
  const [value] = (await broker.state?.read([lockKey(key)])) ?? []
  return value !== undefined
}

await onEachBroker((ask) => {
  ask('a second send with the same arguments is skipped, and has the id of the first', async ({ t, broker, ...s }) => {
    const runs: number[] = []
    const job = s.actor((id: number) => runs.push(id), { actorName: 'job', unique: true })
    const first = await job.send(1)
    t.equal(first.deduplicated, false)
    const second = await job.send(1)
    t.equal(second.deduplicated, 'skipped')
    t.equal(second.messageId, first.messageId)
    t.equal((await job.send(2)).deduplicated, false, 'other arguments are another key')
    t.equal((await broker.stats('default')).ready, 2)
    await s.work()
    await broker.join('default')
    t.same(runs, [1, 2])
    t.equal(await isHeld(broker, first), false)
    t.equal((await job.send(1)).deduplicated, false, 'its end has freed the key')
    await broker.join('default')
    t.same(runs, [1, 2, 1])
  })

  ask('the order of keys in an object does not matter', async ({ t, ...s }) => {
    const job = s.actor((_: object) => {}, { actorName: 'job', unique: true })
    await job.send({ a: 1, b: { c: 2, d: [1, 2] } })
    t.equal((await job.send({ b: { d: [1, 2], c: 2 }, a: 1 })).deduplicated, 'skipped')
    t.equal((await job.send({ b: { d: [2, 1], c: 2 }, a: 1 })).deduplicated, false)
  })

  ask('the key may be a function of the arguments, or a text', async ({ t, broker, ...s }) => {
    const job = s.actor((_user: string, _text: string) => {}, {
      actorName: 'job',
      unique: { key: (user: string) => user },
    })
    await job.send('ann', 'one')
    t.equal((await job.send('ann', 'two')).deduplicated, 'skipped')
    t.equal((await job.send('bob', 'two')).deduplicated, false)
    const once = { args: ['cyd', 'x'], unique: { key: 'the key' } } as const
    t.equal((await job.sendWithOptions(once)).deduplicated, false)
    t.equal((await job.sendWithOptions({ ...once, args: ['dan', 'y'] })).deduplicated, 'skipped')
    t.equal((await job.sendWithOptions({ args: ['ann', 'x'], unique: false })).deduplicated, false)
    const other = s.actor((_user: string, _text: string) => {}, { actorName: 'other', unique: { key: 'the key' } })
    t.equal((await other.send('a', 'b')).deduplicated, false, 'another actor has its own keys')
    t.equal((await broker.stats('default')).ready, 5)
  })

  ask('of many sends at once one is stored', async ({ t, broker, ...s }) => {
    const job = s.actor((_: number) => {}, { actorName: 'job', unique: true })
    const other = s.another()
    const twin = other === broker ? job : actor((_: number) => {}, { actorName: 'job', unique: true, broker: other })
    const sent = await Promise.all(Array.from({ length: 60 }, (_, index) => (index % 2 ? job : twin).send(index % 3)))
    t.equal(sent.filter((message) => message.deduplicated === false).length, 3)
    t.equal(new Set(sent.map((message) => message.messageId)).size, 3)
    t.equal((await broker.stats('default')).ready, 3)
    const many = await job.sendMany(Array.from({ length: 600 }, (_, index) => [10 + (index % 2)]))
    t.equal(many.filter((message) => message.deduplicated === false).length, 2)
    t.equal((await broker.stats('default')).ready, 5)
  })

  ask('retries keep the key, and a dead letter frees it', async ({ t, broker, ...s }) => {
    const failing = gate()
    let attempts = 0
    const job = s.actor(
      async () => {
        if (++attempts === 2) await failing.opened
        throw new Error('no')
      },
      { actorName: 'job', unique: true, maxRetries: 1, minBackoff: 1, maxBackoff: 1, jitter: false },
    )
    const first = await job.send()
    await s.work()
    await until(() => attempts === 2)
    t.equal((await job.send()).deduplicated, 'skipped')
    failing.open()
    await until(async () => (await broker.stats('default')).dead === 1)
    await until(async () => !(await isHeld(broker, first)))
    t.equal((await broker.stats('default')).ready, 0)
  })

  ask('a message that waits for a rate limit keeps the key', async ({ t, broker, ...s }) => {
    let runs = 0
    const job = s.actor(
      () => {
        if (++runs === 1) throw new RateLimitExceeded('api', { retryAfter: 3_600_000 })
      },
      { actorName: 'job', unique: true },
    )
    await s.work()
    const first = await job.send()
    await until(async () => (await broker.stats('default')).delayed === 1)
    t.equal((await job.send()).messageId, first.messageId)
    t.equal(runs, 1)
  })

  ask('a retry can be replaced while it waits', async ({ t, broker, ...s }) => {
    const runs: string[] = []
    const job = s.actor(
      (_id: number, text: string) => {
        runs.push(text)
        if (text === 'bad') throw new Error('no')
      },
      {
        actorName: 'job',
        unique: { key: (id: number) => `${id}`, onDuplicate: 'replace' },
        minBackoff: '1h',
        jitter: false,
      },
    )
    const first = await job.send(1, 'bad')
    await s.work()
    await until(async () => (await broker.stats('default')).delayed === 1)
    const second = await job.send(1, 'good')
    t.equal(second.deduplicated, 'replaced')
    t.equal(second.messageId, first.messageId)
    await broker.join('default')
    t.same(runs, ['bad', 'good'])
  })

  ask('replace gives the waiting message its arguments and its delay', async ({ t, broker, ...s }) => {
    const runs: string[] = []
    const job = s.actor((_id: number, text: string) => runs.push(text), {
      actorName: 'job',
      storeResults: true,
      unique: { key: (id: number) => `${id}`, onDuplicate: 'replace' },
    })
    const first = await job.sendWithOptions({ args: [1, 'one'], delay: '1h' })
    const second = await job.sendWithOptions({ args: [1, 'two'], delay: '2h' })
    t.equal(second.deduplicated, 'replaced')
    t.equal(second.messageId, first.messageId)
    t.same(await broker.stats('default'), { ready: 0, delayed: 1, inFlight: 0, dead: 0 })
    const third = await job.send(1, 'three')
    t.equal(third.deduplicated, 'replaced')
    t.same(await broker.stats('default'), { ready: 1, delayed: 0, inFlight: 0, dead: 0 })
    t.equal((await job.send(1, 'four')).deduplicated, 'replaced', 'a ready message, too')
    await s.work()
    t.equal(await first.result(), 1)
    t.same(runs, ['four'])
    await broker.join('default')
    t.equal(await isHeld(broker, first), false)
  })

  ask('of many replacements at once the last one wins', async ({ t, broker, ...s }) => {
    const runs: number[] = []
    const job = s.actor((_key: string, value: number) => runs.push(value), {
      actorName: 'job',
      unique: { key: (key: string) => key, onDuplicate: 'replace' },
    })
    const sent = await Promise.all(Array.from({ length: 150 }, (_, index) => job.send('a', index)))
    t.equal(new Set(sent.map(({ messageId }) => messageId)).size, 1)
    t.same(sent.map(({ deduplicated }) => deduplicated).slice(0, 3), [false, 'replaced', 'replaced'])
    const many = await job.sendMany(Array.from({ length: 150 }, (_, index) => ['b', 1000 + index]))
    t.equal(new Set(many.map(({ messageId }) => messageId)).size, 1)
    t.equal((await broker.stats('default')).ready, 2)
    await s.work()
    await broker.join('default')
    t.same(runs, [149, 1149])
  })

  ask('a running message is not replaced', async ({ t, broker, ...s }) => {
    const ending = gate()
    const runs: string[] = []
    const job = s.actor(
      async (text: string) => {
        runs.push(text)
        await ending.opened
      },
      { actorName: 'job', unique: { key: 'one', onDuplicate: 'replace' } },
    )
    await job.send('first')
    await s.work()
    await until(() => runs.length === 1)
    t.equal((await job.send('second')).deduplicated, 'skipped')
    ending.open()
    await broker.join('default')
    t.same(runs, ['first'])
  })

  ask('rerun runs once more with the latest arguments', async ({ t, broker, ...s }) => {
    const ending = gate()
    const runs: string[] = []
    const job = s.actor(
      async (text: string) => {
        runs.push(text)
        if (text === 'first') await ending.opened
        return text
      },
      { actorName: 'job', storeResults: true, unique: { key: 'one', onDuplicate: 'rerun' } },
    )
    const first = await job.send('first')
    await s.work()
    await until(() => runs.length === 1)
    const sent = [await job.send('second'), await job.send('third')]
    t.same(
      sent.map(({ deduplicated }) => deduplicated),
      ['rerun', 'rerun'],
    )
    t.equal(sent[0]?.messageId, sent[1]?.messageId)
    t.not(sent[0]?.messageId, first.messageId)
    ending.open()
    t.equal(await first.result(), 'first')
    t.equal(await sent[0]?.result(), 'third')
    await broker.join('default')
    t.same(runs, ['first', 'third'])
    t.equal(await isHeld(broker, first), false)
  })

  ask('rerun also runs after the last retry has failed', async ({ t, broker, ...s }) => {
    const failing = gate()
    const runs: string[] = []
    const job = s.actor(
      async (text: string) => {
        runs.push(text)
        if (text !== 'bad') return
        await failing.opened
        throw new Error('no')
      },
      { actorName: 'job', maxRetries: 0, unique: { key: 'one', onDuplicate: 'rerun' } },
    )
    await job.send('bad')
    await s.work()
    await until(() => runs.length === 1)
    t.equal((await job.send('good')).deduplicated, 'rerun')
    failing.open()
    await until(() => runs.length === 2)
    await broker.join('default')
    t.same(runs, ['bad', 'good'])
    t.equal((await broker.stats('default')).dead, 1)
  })

  ask('until "started", a running message does not hold the key', async ({ t, broker, ...s }) => {
    const ending = gate()
    let runs = 0
    const job = s.actor(
      async () => {
        runs++
        await ending.opened
      },
      { actorName: 'job', unique: { until: 'started' } },
    )
    await job.send()
    t.equal((await job.send()).deduplicated, 'skipped')
    await s.work()
    await until(() => runs === 1)
    t.equal((await job.send()).deduplicated, false)
    ending.open()
    await broker.join('default')
    t.equal(runs, 2)
  })

  ask('until "expired", the key is held for its time to live', async ({ t, broker, ...s }) => {
    let runs = 0
    const job = s.actor(() => void runs++, { actorName: 'job', unique: { until: 'expired', ttl: 300 } })
    await s.work()
    const first = await job.send()
    await broker.join('default')
    t.equal(runs, 1)
    if (await isHeld(broker, first)) t.equal((await job.send()).deduplicated, 'skipped')
    await until(async () => !(await isHeld(broker, first)))
    t.equal((await job.send()).deduplicated, false)
  })

  ask('a send that fails leaves no lock', async ({ t, broker, ...s }) => {
    const job = s.actor((_: string) => {}, { actorName: 'job', unique: { key: 'one' } })
    await t.rejects(job.send('x'.repeat(1_100_000)), { name: 'MessageTooLarge' })
    t.equal((await job.send('x')).deduplicated, false)
    t.equal((await broker.stats('default')).ready, 1)
  })

  ask('a message sent with a settlement is unique, too', async ({ t, broker, ...s }) => {
    const reporting = gate()
    let reports = 0
    const report = s.actor(
      async () => {
        reports++
        await reporting.opened
      },
      { actorName: 'report', unique: { key: 'report' } },
    )
    let jobs = 0
    const job = s.actor(() => void jobs++, { actorName: 'job' })
    const step = { options: { pipe_target: report.message().toWire() } }
    await job.sendWithOptions(step)
    await s.work()
    await until(() => reports === 1, 'the first report')
    await job.sendWithOptions(step)
    await job.sendWithOptions(step)
    await until(() => jobs === 3, 'all jobs')
    await until(async () => (await broker.stats('default')).inFlight === 1, 'only the report is left')
    t.same(await broker.stats('default'), { ready: 0, delayed: 0, inFlight: 1, dead: 0 })
    t.equal(reports, 1)
    reporting.open()
    await broker.join('default')
    t.equal(reports, 1)
    await job.sendWithOptions(step)
    await until(() => reports === 2, 'its end has freed the key')
  })
})
