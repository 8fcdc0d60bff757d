/** Messages that wait for a slot of a rate limiter, inline and on threads, on every broker. */
import t, { type Test } from 'tap'
import { Worker } from '../../lib/worker/worker.js'
import { captureLog } from '../support/log.js'
import { until } from '../support/memory.js'
import { withRedis } from '../support/redis-server.js'
import { makePath } from '../support/sqlite-files.js'

const log = captureLog()
// They wait most of the time, so the brokers can run at the same time.
t.jobs = 3
process.env.DRAMATIS_LOG_LEVEL = 'silent'
const patience = { timeout: '60s' } as const

type Module = typeof import('../support/actors/limited.js')

function testWaiting(kind: string, address: (t: Test) => string): void {
  t.test(`all messages that wait for a slot are processed, and none fails (${kind})`, { buffered: true }, async (t) => {
    const at = encodeURIComponent(address(t))
    const url = new URL(`../support/actors/limited.ts?at=${at}`, import.meta.url).href
    const { broker, backend, exclusive, limited, told }: Module = await import(url)
    t.teardown(async () => {
      await backend.close?.()
      await broker.close()
    })

    for (const threads of [0, 1]) {
      const worker = new Worker(broker, { threads, modules: [url] })
      t.teardown(() => worker.stop({ timeout: 0 }))
      await worker.start()
      const five: [][] = [[], [], [], [], []]
      const messages = [...(await exclusive.sendMany(five)), ...(await limited.sendMany(five.slice(2)))]
      const ids = new Set<unknown>(messages.map(({ messageId }) => messageId))
      const retries = await Promise.all(messages.map((message) => message.result(patience)))
      t.same(new Set(retries), new Set([0]), `no attempt was counted (threads: ${threads})`)
      await broker.join('default')
      t.equal((await broker.stats('default')).dead, 0)
      t.same(
        log.filter(({ level }) => level === 'warn' || level === 'error'),
        [],
      )
      const waits = log
        .filter(({ level, text }) => level === 'info' && text.startsWith('Postponed by '))
        .map(({ fields }) => fields.messageId)
        .filter((id) => ids.has(id))
      t.ok(waits.length >= 4, 'each wait is logged')
      t.equal(new Set(waits).size, waits.length, 'once each')
      const { messageId } = await told.send()
      const its = (): (typeof log)[0] | undefined =>
        log.find(({ fields }) => fields.messageId === messageId && fields.delay)
      await until(() => its() !== undefined, 'the line of the message that waits a minute')
      const delay = its()?.fields.delay as number
      t.ok(delay >= 60_000 && delay <= 60_500, `the retryAfter of the error arrives: ${delay}`)
      await worker.stop({ timeout: 0 })
      await broker.flushAll()
    }
  })
}

testWaiting('memory', () => 'memory')
testWaiting('SQLite', (t) => makePath(t))
await withRedis((server) => testWaiting('Redis', () => server.url))
