/** Unique messages while their producers and workers are killed at random moments. */
import { lockKey } from '../../lib/unique/lock.js'
import type { UniqueMessage } from '../../lib/unique/option.js'
import { Worker } from '../../lib/worker/worker.js'
import { latest } from '../support/actors/faults.js'
import { messagesIn, whileKilling } from '../support/killing.js'
import { captureLog } from '../support/log.js'

captureLog()

await whileKilling((ask) => {
  ask('a key is free, or held by the one message that is stored', async ({ t, broker, random, live }) => {
    const series = Array.from({ length: 40 }, (_, index) => `s${index}`)
    const produce = async (): Promise<void> => {
      for (let life = 0; life < 2; life++)
        await live(['producer', 'skip', '', series.join()], 40 + Math.floor(random() * 300))
    }
    const work = async (): Promise<void> => {
      for (let life = 0; life < 2; life++) await live(['worker'], 10 + Math.floor(random() * 60))
    }
    await Promise.all([produce(), produce(), work()])
    await live(['producer', 'skip', '', series.join()], 20)

    // Those that dead workers held come back.
    const stored = await messagesIn(broker, 'default')
    for (const name of series) {
      const messages = stored.filter(({ args }) => args[0] === name)
      const { key } = latest.message(name, 0).option('unique') as UniqueMessage
      const [lock] = await broker.stateFor('the test').read([lockKey(key)])
      const held = lock === undefined ? [] : [JSON.parse(lock).id]
      t.same(
        messages.map(({ messageId }) => messageId),
        held,
        `${name} is ${lock === undefined ? 'free' : 'held'}`,
      )
    }
    t.ok(stored.length > 0, `${stored.length} were stored at the end`)
  })

  for (const [onDuplicate, delay] of [
    ['replace', '30'],
    ['rerun', ''],
  ] as const) {
    ask(`${onDuplicate}: the latest arguments win`, async ({ t, broker, random, live, ledger }) => {
      const last = new Map<string, number>()
      const produce = async (half: string): Promise<void> => {
        for (let life = 0; life < 2; life++) {
          const series = Array.from({ length: 5 }, (_, index) => `${half}${life}${index}`)
          const args = ['producer', onDuplicate, delay, series.join()]
          for (const line of await live(args, 50 + Math.floor(random() * 400))) {
            const [name, number, deduplicated] = line.split(' ') as [string, string, string]
            if (deduplicated !== 'skipped') last.set(name, Number(number))
          }
        }
      }
      const work = async (): Promise<void> => {
        for (let life = 0; life < 3; life++) await live(['worker'], 5 + Math.floor(random() * 40))
      }
      await Promise.all([produce('a'), produce('b'), work()])
      const survivor = new Worker(broker, { threads: 0, queues: ['default'] })
      t.teardown(() => survivor.stop())
      await survivor.start()
      await broker.join('default', { timeout: '40s' })

      const ran = new Map(ledger())
      const lost = [...last].filter(([name, number]) => (ran.get(name) ?? 0) < number)
      t.same(lost, [], 'no send that resolved is missing')
      t.equal(last.size, 20)
      const keys = [...last.keys()].map((name) => (latest.message(name, 0).option('unique') as UniqueMessage).key)
      const locks = await broker.stateFor('the test').read(keys.map(lockKey))
      t.same(locks.filter(Boolean), [], 'no key is held')
    })
  }
})
