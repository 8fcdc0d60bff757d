/** Pipelines and groups, on every broker. */
import { compositionOf } from '../../lib/composition/composition-of.js'
import { group } from '../../lib/composition/group.js'
import { pipeline } from '../../lib/composition/pipeline.js'
import { SkipMessage } from '../../lib/errors.js'
import { Message } from '../../lib/message.js'
import { onEachBroker } from '../support/each-broker.js'
import { failure, gate, until } from '../support/memory.js'

await onEachBroker((ask) => {
  // — Pipelines ——————————————————————————————————————————————————————————————————————————————————————————

  ask('each step of a pipeline takes the result of the one before', async ({ t, ...s }) => {
    const add = s.actor((a: number, b: number) => a + b, { actorName: 'add', storeResults: true })
    const show = s.actor((value: number) => `= ${value}`, { actorName: 'show', storeResults: true })
    await s.work()
    const sum = pipeline([add.message(1, 2), add.message(3), show.message()])
    t.equal(await sum.run(), sum)
    t.equal(await sum.result(), '= 6')
    const results: unknown[] = []
    for await (const result of sum.results()) results.push(result)
    t.same(results, [3, 6, '= 6'])
    const piped = add
      .message(1, 1)
      .pipe(add.message(2))
      .pipe(pipeline([add.message(3), show.message()]))
    t.equal(piped.steps.length, 4, 'a pipeline within a pipeline is flat')
    await piped.run()
    t.equal(await piped.result(), '= 7')
  })

  ask('a step may ignore the result of the one before, and have a delay', async ({ t, broker, ...s }) => {
    const runs: unknown[] = []
    const note = s.actor((...args: unknown[]) => void runs.push(args), { actorName: 'note', storeResults: true })
    await s.work()
    const piped = pipeline([
      note.message('one'),
      note.messageWithOptions({ args: ['two'], pipeIgnore: true }),
      note.messageWithOptions({ args: ['three'], delay: '1h' }),
    ])
    await piped.run()
    await until(async () => (await broker.stats('default')).delayed === 1)
    t.same(runs, [['one'], ['two']])
    await note.message('x').pipe(note.message()).run({ delay: '2h' })
    t.equal((await broker.stats('default')).delayed, 2)
  })

  ask('a failed step ends the pipeline, and is the result of the later steps', async ({ t, broker, ...s }) => {
    const later: unknown[] = []
    const fail = s.actor(() => Promise.reject(new TypeError('no')), {
      actorName: 'fail',
      maxRetries: 0,
      storeResults: true,
    })
    const note = s.actor((value: unknown) => void later.push(value), { actorName: 'note', storeResults: true })
    await s.work()
    const piped = pipeline([fail.message(), note.message() as Message, note.message() as Message])
    await piped.run()
    await t.rejects(piped.result(), failure('TypeError', 'no'))
    await broker.join('default')
    t.same(later, [])
  })

  ask('a pipeline knows its messages, and each message its place', async ({ t, broker, ...s }) => {
    const step = s.actor((value: number) => value, { actorName: 'step' })
    const piped = pipeline([step.message(1), step.message(), step.message()])
    await piped.run()
    const [first, second, third] = piped.messages
    const consumer = broker.consume('default')
    const [delivery] = await consumer.take(1)
    const stored = JSON.parse(String(delivery?.body))
    t.same(stored.options.composition, { scopes: [piped.id] })
    const next = stored.options.pipe_target
    t.equal(next.message_id, second?.messageId)
    t.same(next.options.composition, { scopes: [piped.id], before: first?.messageId })
    t.equal(next.options.pipe_target.message_id, third?.messageId)
    const place = compositionOf(Message.decode(delivery?.body as string))
    t.match(place, { scopes: [piped.id], before: undefined, group: undefined })
    t.same(
      place?.after.map(({ messageId }) => messageId),
      [second?.messageId, third?.messageId],
    )
    t.same(
      place?.next.map(({ messageId }) => messageId),
      [second?.messageId],
    )
    t.equal(compositionOf(step.message(1)), undefined)
    await consumer.close()
  })

  // — Groups —————————————————————————————————————————————————————————————————————————————————————————————

  ask('a group completes once all members have ended', async ({ t, broker, ...s }) => {
    const reports: string[] = []
    const ending = gate()
    const square = s.actor(
      async (value: number) => {
        if (value === 3) await ending.opened
        return value * value
      },
      { actorName: 'square', storeResults: true },
    )
    const report = s.actor((text: string) => void reports.push(text), { actorName: 'report' })
    await s.work()
    const squares = group(
      [1, 2, 3].map((value) => square.message(value)),
      { onComplete: report.message('done') },
    )
    squares.addCompletionCallback(report.message('also'))
    await squares.run()
    await until(async () => (await squares.completedCount()) === 2)
    t.same(reports, [])
    await t.rejects(squares.wait({ timeout: 50 }), { name: 'ResultTimeout', message: /2 of 3 members/ })
    ending.open()
    t.equal(await squares.wait(), 'completed')
    t.same(await squares.result(), [1, 4, 9])
    t.equal(await squares.completedCount(), 3)
    const results: number[] = []
    for await (const result of squares.results({ asCompleted: true })) results.push(result)
    t.same(results.sort(), [1, 4, 9])
    await broker.join('default')
    t.same(reports.sort(), ['also', 'done'])
    await t.rejects(squares.run(), /runs once/)
  })

  ask('a group whose member fails sends onFailure, once all have ended', async ({ t, broker, ...s }) => {
    const reports: string[] = []
    const ending = gate()
    const job = s.actor(
      async (value: number) => {
        if (value === 1) throw new Error('no')
        await ending.opened
      },
      { actorName: 'job', maxRetries: 0 },
    )
    const report = s.actor((text: string) => void reports.push(text), { actorName: 'report' })
    await s.work()
    const jobs = group([job.message(1), job.message(2), job.message(3)], {
      onComplete: report.message('completed'),
      onFailure: report.message('failed'),
    })
    await jobs.run()
    await until(async () => (await jobs.completedCount()) === 1)
    t.same(reports, [])
    ending.open()
    t.equal(await jobs.wait(), 'failed')
    await broker.join('default')
    t.same(reports, ['failed'])
  })

  ask('with "continue" a group completes although members fail', async ({ t, broker, ...s }) => {
    const reports: string[] = []
    const job = s.actor(() => Promise.reject(new Error('no')), { actorName: 'job', maxRetries: 0 })
    const report = s.actor((text: string) => void reports.push(text), { actorName: 'report' })
    await s.work()
    const jobs = group([job.message(), job.message()], {
      onChildFailure: 'continue',
      onComplete: report.message('completed'),
      onFailure: report.message('failed'),
    })
    await jobs.run()
    t.equal(await jobs.wait(), 'completed')
    await broker.join('default')
    t.same(reports, ['completed'])
  })

  ask(
    'every kind of end counts: success, dead letter, skipped, expired, unknown actor',
    async ({ t, broker, ...s }) => {
      const reports: string[] = []
      const ok = s.actor(() => 1, { actorName: 'ok' })
      const skip = s.actor(
        () => {
          throw new SkipMessage()
        },
        { actorName: 'skip' },
      )
      const old = s.actor(() => {}, { actorName: 'old', maxAge: 1 })
      const report = s.actor((text: string) => void reports.push(text), { actorName: 'report' })
      const unknown = ok.message().with({ actorName: 'nowhere' })
      const jobs = group([ok.message(), skip.message(), old.message(), unknown], {
        onComplete: report.message('completed'),
        onFailure: report.message('failed'),
      })
      await jobs.run({ delay: 20 })
      await s.work()
      t.equal(await jobs.wait(), 'failed')
      t.equal(await jobs.completedCount(), 4)
      await broker.join('default')
      t.same(reports, ['failed'])
    },
  )

  ask('a retried member has not ended', async ({ t, broker, ...s }) => {
    let attempts = 0
    const job = s.actor(
      () => {
        if (++attempts < 3) throw new Error('not yet')
      },
      { actorName: 'job', minBackoff: 1, maxBackoff: 1, jitter: false },
    )
    await s.work()
    const jobs = group([job.message()])
    await jobs.run()
    t.equal(await jobs.wait(), 'completed')
    t.equal(attempts, 3)
    await broker.join('default')
  })

  ask('an empty group completes at once', async ({ t, broker, ...s }) => {
    const reports: string[] = []
    const report = s.actor((text: string) => void reports.push(text), { actorName: 'report' })
    await s.work()
    const none = group([], { onComplete: report.message('done'), broker })
    await none.run()
    t.equal(await none.wait(), 'completed')
    t.same(await none.result(), [])
    await broker.join('default')
    t.same(reports, ['done'])
  })

  ask('a second delivery of a member counts once', async ({ t, broker, ...s }) => {
    const report = s.actor(() => {}, { actorName: 'report' })
    const job = s.actor((_: number) => {}, { actorName: 'job' })
    const jobs = group([job.message(1), job.message(2)], { onComplete: report.message() })
    await jobs.run()
    // The same message twice on the queue, as after a lost worker.
    const consumer = broker.consume('default', { prefetch: 10 })
    const [first] = await consumer.take(1)
    const copy = Message.decode(first?.body as string)
    if (first) await consumer.requeue(first)
    await broker.enqueue(copy)
    await consumer.close()
    await s.work({ concurrency: 1 })
    t.equal(await jobs.wait(), 'completed')
    await broker.join('default')
    t.equal(await jobs.completedCount(), 2)
  })

  ask('a group that misses its deadline has expired, and sends onFailure', async ({ t, broker, ...s }) => {
    const reports: string[] = []
    const ending = gate()
    const job = s.actor(async () => ending.opened, { actorName: 'job' })
    const report = s.actor((text: string) => void reports.push(text), { actorName: 'report' })
    await s.work()
    const jobs = group([job.message()], {
      deadline: 50,
      onComplete: report.message('completed'),
      onFailure: report.message('failed'),
    })
    await jobs.run()
    t.equal(await jobs.wait(), 'expired')
    await until(() => reports.length === 1)
    ending.open()
    await broker.join('default')
    t.same(reports, ['failed'])
  })

  ask('a group that ends in time does not miss its deadline', async ({ t, broker, ...s }) => {
    const reports: string[] = []
    const job = s.actor(() => {}, { actorName: 'job' })
    const report = s.actor((text: string) => void reports.push(text), { actorName: 'report' })
    await s.work()
    const jobs = group([job.message()], {
      deadline: 500,
      onComplete: report.message('completed'),
      onFailure: report.message('failed'),
    })
    await jobs.run()
    t.equal(await jobs.wait(), 'completed')
    await broker.join('default')
    t.same(reports, ['completed'])
  })

  // — Both ———————————————————————————————————————————————————————————————————————————————————————————————

  ask('a group in a pipeline takes the result, and gives all of its results', async ({ t, broker, ...s }) => {
    const list = s.actor((count: number) => count, { actorName: 'list', storeResults: true })
    const times = s.actor((factor: number, value: number) => factor * value, { actorName: 'times', storeResults: true })
    const total = s.actor((values: number[]) => values.reduce((a, b) => a + b, 0), {
      actorName: 'total',
      storeResults: true,
    })
    await s.work()
    const piped = pipeline([
      list.message(10),
      group([times.message(1), pipeline([times.message(2), times.message(3)]), times.message(4)]),
      total.message(),
      times.message(100),
    ])
    await piped.run()
    t.equal(await piped.result(), 100 * (10 + 60 + 40))
    const results: unknown[] = []
    for await (const result of piped.results()) results.push(result)
    t.same(results, [10, [10, 60, 40], 110, 11_000])
    await broker.join('default')
  })

  ask('groups follow groups, and nest', async ({ t, broker, ...s }) => {
    const reports: string[] = []
    const one = s.actor(() => 1, { actorName: 'one', storeResults: true })
    const size = s.actor((values: unknown) => JSON.stringify(values), { actorName: 'size', storeResults: true })
    const report = s.actor((text: string) => void reports.push(text), { actorName: 'report' })
    await s.work()
    const inner = group([one.message(), one.message()])
    const outer = group([inner, one.message(), pipeline([one.message(), size.message()] as never)], {
      onComplete: report.message('outer'),
    })
    const piped = pipeline([
      outer,
      group([size.message() as Message, size.message() as Message]),
      size.message() as never,
    ])
    await piped.run()
    t.equal(await piped.result(), JSON.stringify(['[[1,1],1,"1"]', '[[1,1],1,"1"]']))
    await broker.join('default')
    t.same(reports, ['outer'])
    t.equal(await inner.wait(), 'completed')
  })

  ask('a failure within a pipeline or a group is a failure of the group around it', async ({ t, broker, ...s }) => {
    const reports: string[] = []
    const ok = s.actor(() => 1, { actorName: 'ok' })
    const fail = s.actor(() => Promise.reject(new Error('no')), { actorName: 'fail', maxRetries: 0 })
    const report = s.actor((text: string) => void reports.push(text), { actorName: 'report' })
    await s.work()
    const inPipeline = group([pipeline([ok.message(), fail.message(), ok.message()] as never), ok.message()], {
      onFailure: report.message('pipeline'),
    })
    const inGroup = group([group([fail.message(), ok.message()]), ok.message()], { onFailure: report.message('group') })
    const first = group([fail.message()])
    const beforeNext = group([pipeline([first, ok.message()] as never)], { onFailure: report.message('next') })
    for (const one of [inPipeline, inGroup, beforeNext]) await one.run()
    for (const one of [inPipeline, inGroup, beforeNext]) t.equal(await one.wait(), 'failed')
    await broker.join('default')
    t.same(reports.sort(), ['group', 'next', 'pipeline'])
  })

  ask('a deduplicated member has ended', async ({ t, broker, ...s }) => {
    const ending = gate()
    const job = s.actor(async () => ending.opened, { actorName: 'job', unique: true })
    const other = s.actor(() => {}, { actorName: 'other' })
    await s.work()
    await job.send()
    const jobs = group([job.message(), other.message()])
    await jobs.run()
    t.equal(await jobs.wait(), 'completed')
    ending.open()
    await broker.join('default')
  })

  ask('what follows a group may be unique', async ({ t, broker, ...s }) => {
    const reporting = gate()
    let reports = 0
    const job = s.actor(() => {}, { actorName: 'job' })
    const report = s.actor(
      async () => {
        reports++
        await reporting.opened
      },
      { actorName: 'report', unique: true },
    )
    const other = s.actor(() => void reports++, { actorName: 'other' })
    await s.work()
    await report.send()
    await until(() => reports === 1)
    const jobs = group([job.message(), job.message()], { onComplete: report.message() })
    jobs.addCompletionCallback(other.message())
    await jobs.run()
    t.equal(await jobs.wait(), 'completed')
    await until(() => reports === 2, 'the other callback')
    reporting.open()
    await broker.join('default')
    t.equal(reports, 2, 'the report waited already')
  })

  ask('many members end at once, and one message follows', async ({ t, broker, ...s }) => {
    const reports: string[] = []
    const job = s.actor((_: number) => {}, { actorName: 'job' })
    const report = s.actor((text: string) => void reports.push(text), { actorName: 'report' })
    await s.work({ concurrency: 50 })
    const jobs = group(
      Array.from({ length: 2000 }, (_, index) => job.message(index)),
      { onComplete: report.message('done') },
    )
    await jobs.run()
    t.equal(await jobs.wait({ timeout: '30s' }), 'completed')
    await broker.join('default')
    t.same(reports, ['done'])
  })
})
