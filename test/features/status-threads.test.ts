/** What actors report, inline and on threads alike. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { setBroker } from '../../lib/default-broker.js'
import type { Message, MessageStatus, Progress } from '../../lib/index.js'
import { Worker } from '../../lib/worker/worker.js'
import { captureLog } from '../support/log.js'

const broker = new MemoryBroker()
setBroker(broker)
captureLog()
process.env.DRAMATIS_LOG_LEVEL = 'silent'
const actors = await import('../support/actors/tracked.js')
const modules = [new URL('../support/actors/tracked.ts', import.meta.url).href]
t.teardown(() => broker.close())

async function follow(message: Message): Promise<{ seen: Progress[]; end: MessageStatus }> {
  const seen: Progress[] = []
  const progress = message.progress({ signal: AbortSignal.timeout(20_000) })
  for (;;) {
    const { done, value } = await progress.next()
    if (done) return { seen, end: value }
    seen.push(value)
  }
}

/** Everything that is asked of both kinds of workers. */
function ask(t: Test): void {
  t.test('each progress is seen, and the last one although the end follows at once', async (t) => {
    const gate = join(mkdtempSync(join(tmpdir(), 'dramatis-')), 'gate')
    const message = await actors.halves.send(gate)
    for await (const { progress, note } of message.progress()) {
      t.same([progress, note], [0.5, 'half'])
      t.match(await message.status(), { state: 'running', progress: 0.5, note: 'half' })
      writeFileSync(gate, '')
      break
    }
    const { seen, end } = await follow(message)
    t.match(seen.at(-1), { progress: 1, note: undefined })
    t.match(end, { state: 'succeeded', progress: 1 })
    t.same(
      (await message.logs()).map(({ text }) => text),
      ['half done', 'all done'],
    )
  })

  t.test('what fails says why, and its log has all attempts', async (t) => {
    const message = await actors.flaky.send(1)
    t.match((await follow(message)).end, { state: 'succeeded', attempt: 2, maxAttempts: 2, progress: 0.2 })
    t.same(
      (await message.logs()).map(({ text }) => text),
      ['attempt 1', 'attempt 2'],
    )
    const failing = await actors.flaky.send(2)
    const { end } = await follow(failing)
    t.match(end, { state: 'failed', attempt: 2, error: { type: 'RangeError', message: 'attempt 2' } })
    await t.rejects(failing.result(), { message: /RangeError: attempt 2/ }, 'as its result does')
  })

  t.test('a long log keeps its newest lines', async (t) => {
    const message = await actors.talkative.send(500, 10)
    await follow(message)
    const lines = await message.logs()
    t.equal(lines.length, 100)
    t.match([lines[0]?.text, lines.at(-1)?.text], [/^401 /, /^500 /])
  })

  t.test('every message of a batch has what its actor reports', async (t) => {
    const messages = [await actors.together.send(1), await actors.together.send(2)]
    for (const message of messages) {
      t.match((await follow(message)).end, { state: 'succeeded', progress: 0.5, note: '2 items' })
      t.equal((await message.logs()).length, 1)
    }
  })

  t.test('for a message that is not tracked, reports do nothing', async (t) => {
    const message = await actors.untracked.send()
    await broker.join('default')
    t.match(await message.status(), { state: 'unknown' })
    t.same(await message.logs(), [])
  })
}

async function work(t: Test, threads: number): Promise<void> {
  const worker = new Worker(broker, { threads, modules })
  t.teardown(() => worker.stop({ timeout: 0 }))
  await worker.start()
}

t.test('inline', async (t) => {
  await work(t, 0)
  ask(t)
})

t.test('on threads', { timeout: 60_000 }, async (t) => {
  await work(t, 2)
  ask(t)

  t.test('an actor that never lets its event loop turn is heard while it runs', async (t) => {
    const message = await actors.busy.send(500)
    const { seen, end } = await follow(message)
    t.ok(seen.some(({ progress }) => progress > 0 && progress < 1))
    t.same([end.progress, seen.at(-1)?.note], [1, end.note])
    const reports = Number(end.note)
    t.ok(reports > seen.length, `${reports} reports, of which ${seen.length} were seen`)
  })

  t.test('what is terminated has failed, with its last progress', async (t) => {
    const { end } = await follow(await actors.endless.send())
    t.match(end, { state: 'failed', progress: 0.25, error: { type: 'TimeLimitExceeded' } })
  })
})
