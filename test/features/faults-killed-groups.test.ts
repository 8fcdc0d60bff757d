/** Groups while their workers are killed at random moments. */
import { group } from '../../lib/index.js'
import { Worker } from '../../lib/worker/worker.js'
import { followUp, member } from '../support/actors/faults.js'
import { messagesIn, whileKilling } from '../support/killing.js'
import { captureLog } from '../support/log.js'

captureLog()

await whileKilling((ask) => {
  ask('each group ends once, and sends once what follows it', async ({ t, broker, random, live }) => {
    const all = Array.from({ length: 200 }, (_, index) =>
      group([member.message(0), member.message(Math.floor(random() * 3))], { onComplete: followUp.message(index) }),
    )
    await Promise.all(all.map((one) => one.run()))
    const die = async (): Promise<void> => {
      for (let life = 0; life < 3; life++) await live(['worker'], 10 + Math.floor(random() * 50))
    }
    await Promise.all([die(), die()])
    const survivor = new Worker(broker, { threads: 0, queues: ['default'] })
    t.teardown(() => survivor.stop())
    await survivor.start()
    await broker.join('default', { timeout: '40s' })

    const ends = await Promise.all(all.map(async (one) => [await one.wait(), await one.completedCount()]))
    t.same(
      ends,
      all.map(() => ['completed', 2]),
    )
    const sent = await messagesIn(broker, 'follow-ups')
    t.same(
      sent.map(({ args }) => args[0] as number).sort((a, b) => a - b),
      all.map((_, index) => index),
    )
  })
})
