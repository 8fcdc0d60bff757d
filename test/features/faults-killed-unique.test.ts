/** Unique messages while their producers and workers are killed at random moments. */
import { lockKey } from '../../lib/unique/lock.js'
import type { UniqueMessage } from '../../lib/unique/option.js'
import { latest } from '../support/actors/faults.js'
import { messagesIn, whileKilling } from '../support/killing.js'
import { captureLog } from '../support/log.js'

captureLog()

await whileKilling((ask) => {
  ask('a key is free, or held by the one message that is stored', async ({ t, broker, random, live }) => {
    const series = Array.from({ length: 40 }, (_, index) => `${index}`)
    const names = new Set<string>()
    // Both producers of a life send the same messages.
    const produce = async (life: string): Promise<void> => {
      const args = ['producer', 'skip', '', series.map((one) => `${life}.${one}`).join()]
      for (const line of await live(args, 40 + Math.floor(random() * 400))) {
        const [name, number] = line.split(' ')
        // The next one was being sent.
        for (const any of [number, Number(number) + 1]) names.add(`${name}.${any}`)
      }
    }
    const lives = async (): Promise<void> => {
      for (const life of ['a', 'b']) await produce(life)
    }
    const work = async (): Promise<void> => {
      for (let life = 0; life < 2; life++) await live(['worker'], 10 + Math.floor(random() * 100))
    }
    await Promise.all([lives(), lives(), work()])

    // Those that dead workers held come back.
    const stored = new Map<string, string[]>()
    for (const { messageId, args } of await messagesIn(broker, 'default')) {
      const name = args[0] as string
      stored.set(name, [...(stored.get(name) ?? []), messageId])
    }
    const keys = [...names].map((name) => (latest.message(name, 0).option('unique') as UniqueMessage).key)
    const locks = await broker.stateFor('the test').read(keys.map(lockKey))
    const held = [...names].map((name, index) => ({ name, lock: locks[index] }))
    const wrong = held.filter(({ name, lock }) => {
      return `${stored.get(name) ?? []}` !== (lock === undefined ? '' : JSON.parse(lock).id)
    })
    t.same(wrong, [])
    t.same(
      [...stored.keys()].filter((name) => !names.has(name)),
      [],
      'all names are known',
    )
    t.ok(stored.size > 0, `${stored.size} of ${names.size} keys were held at the end`)
  })
})
