/** Unique messages that replace each other, while their producers and workers are killed at random moments. */
import { lockKey } from '../../lib/unique/lock.js'
import type { UniqueMessage } from '../../lib/unique/option.js'
import { Worker } from '../../lib/worker/worker.js'
import { latest } from '../support/actors/faults.js'
import { whileKilling } from '../support/killing.js'
import { captureLog } from '../support/log.js'

captureLog()

await whileKilling((ask) => {
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
