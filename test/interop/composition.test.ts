/** Pipelines and groups whose messages run in Python and here, on one Redis. */
import type { Redis } from 'ioredis'
import { type Test, t } from 'tap'
import { RedisBroker } from '../../brokers/redis/index.js'
import { actor, remoteActor } from '../../lib/actor.js'
import { group } from '../../lib/composition/group.js'
import { pipeline } from '../../lib/composition/pipeline.js'
import { Message } from '../../lib/message.js'
import { Worker } from '../../lib/worker/worker.js'
import { until } from '../../testing/contract/brokers/exam.js'
import { captureLog } from '../support/log.js'
import { gate } from '../support/memory.js'
import { Python, withPython } from '../support/python.js'

captureLog()

await withPython(interop)

function interop(python: string, url: string, redis: Redis): void {
  /** A worker of ours and one of Python's, with what their reports say. */
  async function both(t: Test) {
    const broker = new RedisBroker({ url, delayQueue: 'dramatiq' })
    const here = { broker, queueName: 'node', storeResults: true }
    const there = { broker, queueName: 'python', storeResults: true }
    const ending = gate()
    const reports: unknown[] = []
    const actors = {
      multiply: actor((x: number, y: number) => x * y, { ...here, actorName: 'multiply' }),
      heldHere: actor((value: number) => ending.opened.then(() => value), { ...here, actorName: 'held_here' }),
      failHere: actor((_: string) => Promise.reject(new Error('no')), {
        ...here,
        actorName: 'throw',
        maxRetries: 0,
      }),
      reportHere: actor((text: string) => void reports.push(text), {
        broker,
        queueName: 'node',
        actorName: 'report_here',
      }),
      add: remoteActor<[number, number], number>('add', there),
      heldThere: remoteActor<[number], number>('held_there', there),
      failThere: remoteActor<[string], never>('fail', there),
      reportThere: remoteActor<[string], void>('report_there', { broker, queueName: 'python' }),
    }
    const worker = new Worker(broker, { threads: 0, concurrency: 8, queues: ['node'] })
    await worker.start()
    const service = new Python(python, url)
    t.teardown(async () => {
      service.kill()
      await worker.stop({ timeout: 0 })
      await broker.close()
    })
    await service.tell('work', { queues: ['python'] })
    const said = (): unknown[] => service.said.flatMap(({ report }) => (report === undefined ? [] : [report]))
    return {
      ...actors,
      broker,
      service,
      reports: () => [...reports, ...said()].sort(),
      releaseHere: () => ending.open(),
      releaseThere: () => service.tell('release'),
      async settled() {
        await broker.join('node', { timeout: '20s' })
        await broker.join('python', { timeout: '20s' })
        await broker.join('node', { timeout: '20s' })
      },
    }
  }
  type Both = Awaited<ReturnType<typeof both>>

  /** How many members have lowered the barrier of the only group. */
  const barrier = async (): Promise<string | null> => {
    const [key] = (await redis.keys('*')).filter((key) => /^[\da-f-]{36}$/.test(key))
    return key === undefined ? null : redis.get(key)
  }

  // — Pipelines ——————————————————————————————————————————————————————————————————————————————————————————

  t.test('a pipeline that we sent runs here and there', async (t) => {
    const { multiply, add } = await both(t)
    const steps = pipeline([multiply.message(2, 3), add.message(4), multiply.message(5), add.message(1)])
    await steps.run()
    t.equal(await steps.result(), 51)
    const results: number[] = []
    for await (const result of steps.results()) results.push(result)
    t.same(results, [6, 10, 50, 51])
  })

  t.test('a pipeline that we sent: steps may ignore a result, and have a delay', async (t) => {
    const { multiply, add } = await both(t)
    const startedAt = Date.now()
    const steps = pipeline([
      add.message(1, 2),
      multiply.messageWithOptions({ args: [3, 4], pipeIgnore: true, delay: 150 }),
      add.messageWithOptions({ args: [30] as never, delay: 150 }),
      multiply.message(2),
    ] as never)
    await steps.run({ delay: 150 })
    t.equal(await steps.result(), 84)
    t.ok(Date.now() >= startedAt + 449)
  })

  t.test('a pipeline that Python sent: steps may ignore a result, and have a delay', async (t) => {
    const { service } = await both(t)
    const others = [
      ['multiply', [1, 2]],
      ['add', [3, 4], { pipe_ignore: true, delay: 150 }],
      ['multiply', [5], { delay: 150 }],
      ['add', [1]],
    ]
    const startedAt = Date.now()
    const messages = await service.tell<object[]>('pipe', { others, delay: 150 })
    t.same(await service.tell('result', { message: messages.at(-1) }), { value: 36 })
    t.ok(Date.now() >= startedAt + 449)
  })

  // — Groups that Python sent ————————————————————————————————————————————————————————————————————————————

  const members = [[['multiply', [2, 3]]], [['held_here', [1]]], [['held_there', [2]]], [['add', [3, 4]]]]
  const callbacks = [
    ['report_here', ['here']],
    ['report_there', ['there']],
  ]

  const lastOf: Record<string, (both: Both) => Promise<void>> = {
    'in Python': async ({ releaseHere, releaseThere }) => {
      releaseHere()
      await until(async () => (await barrier()) === '1', 'all but one')
      await releaseThere()
    },
    here: async ({ releaseHere, releaseThere }) => {
      await releaseThere()
      await until(async () => (await barrier()) === '1', 'all but one')
      releaseHere()
    },
  }
  for (const [where, end] of Object.entries(lastOf)) {
    t.test(`a group that Python sent, whose last member runs ${where}: each callback is sent once`, async (t) => {
      const all = await both(t)
      const messages = await all.service.tell<object[]>('group', { others: members, callbacks })
      await until(async () => (await barrier()) === '2', 'all but two')
      t.same(all.reports(), [])
      await end(all)
      for (const [index, value] of [6, 1, 2, 7].entries())
        t.same(await all.service.tell('result', { message: messages[index] }), { value })
      await until(() => all.reports().length === 2, 'the reports')
      await all.settled()
      t.same(all.reports(), ['here', 'there'])
      t.equal(await barrier(), '1', 'it is never lowered below')
    })

    t.test(`a group that we sent, whose last member runs ${where}: each callback is sent once`, async (t) => {
      const all = await both(t)
      const { multiply, heldHere, heldThere, add, reportHere, reportThere } = all
      const jobs = group([multiply.message(2, 3), heldHere.message(1), heldThere.message(2), add.message(3, 4)], {
        onComplete: reportHere.message('here'),
        onFailure: reportHere.message('failed'),
        deadline: '1h',
      }).addCompletionCallback(reportThere.message('there'))
      await jobs.run()
      await until(async () => (await barrier()) === '2', 'all but two')
      t.same(all.reports(), [])
      await end(all)
      t.same(await jobs.result(), [6, 1, 2, 7])
      t.equal(await jobs.wait(), 'completed')
      await until(() => all.reports().length === 2, 'the reports')
      t.same(all.reports(), ['here', 'there'])
    })
  }

  t.test('a group that Python sent: a pipeline counts with its last step, wherever that runs', async (t) => {
    const all = await both(t)
    const others = [
      [
        ['add', [1, 2]],
        ['multiply', [10]],
      ],
      [
        ['multiply', [3, 4]],
        ['add', [1]],
      ],
    ]
    const messages = await all.service.tell<object[]>('group', { others, callbacks, delay: 100 })
    await until(() => all.reports().length === 2, 'the reports')
    t.same(await all.service.tell('result', { message: messages[0] }), { value: 30 })
    t.same(await all.service.tell('result', { message: messages[1] }), { value: 13 })
    await all.settled()
    t.same(all.reports(), ['here', 'there'])
  })

  t.test('a group that we sent: a pipeline counts with its last step, wherever that runs', async (t) => {
    const all = await both(t)
    const { multiply, add, reportHere } = all
    const jobs = group([add.message(1, 2).pipe(multiply.message(10)), multiply.message(3, 4).pipe(add.message(1))], {
      onComplete: reportHere.message('here'),
    })
    await jobs.run()
    t.same(await jobs.result(), [30, 13])
    t.equal(await jobs.wait(), 'completed')
    await all.settled()
    t.same(all.reports(), ['here'])
  })

  t.test('a member of Python’s group that is delivered here twice counts once', async (t) => {
    const all = await both(t)
    const others = [[['multiply', [2, 3]]], [['held_there', [2]]], [['held_there', [2]]]]
    const [first] = await all.service.tell<Record<string, unknown>[]>('group', { others, callbacks })
    await until(async () => (await barrier()) === '2', 'the first end')
    const [body] = await redis.hvals('dramatiq:python.msgs')
    const { group_completion_uuid, group_completion_callbacks } = JSON.parse(body as string).options
    const options = { group_completion_uuid, group_completion_callbacks }
    await all.broker.enqueue(Message.fromWire({ ...first, options }))
    await all.broker.join('node', { timeout: '20s' })
    t.equal(await barrier(), '2')
    t.same(all.reports(), [])
    await all.releaseThere()
    await until(() => all.reports().length === 2, 'the reports')
  })

  // — Failures ———————————————————————————————————————————————————————————————————————————————————————————

  t.test('a member that fails here, before the last one ends in Python, makes the group fail', async (t) => {
    const all = await both(t)
    const jobs = group([all.failHere.message('no'), all.heldThere.message(1)], {
      onComplete: all.reportHere.message('completed'),
      onFailure: all.reportHere.message('failed'),
    })
    await jobs.run()
    await until(async () => (await jobs.completedCount()) === 1, 'the failure')
    await all.releaseThere()
    t.equal(await jobs.wait(), 'failed')
    await until(() => all.reports().length === 1, 'the report')
    await all.settled()
    t.same(all.reports(), ['failed'])
  })

  t.test('a deadline that passes before the last member ends in Python: only onFailure is sent', async (t) => {
    const all = await both(t)
    const jobs = group([all.heldThere.message(1)], {
      onComplete: all.reportHere.message('completed'),
      onFailure: all.reportHere.message('failed'),
      deadline: 50,
    })
    await jobs.run()
    t.equal(await jobs.wait(), 'expired')
    await all.releaseThere()
    t.same(await jobs.result(), [1])
    await all.settled()
    t.same(all.reports(), ['failed'])
  })
}
