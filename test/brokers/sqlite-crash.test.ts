/** No message whose `send` resolved is lost, whichever processes are killed, and whenever. */
import t from 'tap'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import { Message } from '../../lib/message.js'
import { Child } from '../support/processes.js'
import { inDatabase, makePath } from '../support/sqlite-files.js'

t.test(
  'producers and workers are killed at random points: sent messages are processed, following ones sent once',
  async (t) => {
    const path = makePath(t)
    const sent = new Set<string>()
    const taken = new Map<string, Set<string>>()
    const acked = new Set<string>()
    const note = (name: string, messageId: string): void =>
      void taken.set(name, (taken.get(name) ?? new Set()).add(messageId))
    const listen = (child: Child): void => {
      for (const line of child.lines) {
        const [verb, ...words] = line.split(' ')
        if (verb === 'took') note(words.slice(0, -2).join(' '), words.at(-2) as string)
        else if (verb === 'acked') acked.add(words.join(' '))
        else if (line !== 'ready') sent.add(line)
      }
    }
    const somewhere = (from: number, to: number): number => from + Math.floor(Math.random() * (to - from))

    // Given producers and workers that are all killed while they work
    const lives = [0, 1, 2, 3].map(async (number) => {
      const producer = new Child(t, 'sqlite-producer.ts', [path, `p${number}.`, '100000'])
      await producer.until((lines) => lines.includes('ready'))
      producer.writeLine('go')
      const last = somewhere(50, 400)
      await producer.until((lines) => lines.length > last)
      await producer.kill()
      listen(producer)
    })
    const deaths = [0, 1, 2, 3].map(async () => {
      const worker = new Child(t, 'sqlite-worker.ts', [path, '60000'])
      const last = somewhere(2, 300)
      await worker.until((lines) => lines.length > last)
      await worker.kill()
      listen(worker)
    })
    await Promise.all([...lives, ...deaths])
    t.ok(sent.size >= 200, 'the producers sent something before they died')
    t.ok(taken.size >= 8, 'and the workers took something')

    // When one survivor takes the rest: their leases are valid for most of a minute, but their processes are gone
    const survivor = new SQLiteBroker({ path, middleware: [] })
    t.teardown(() => survivor.close())
    const consumer = survivor.consume('exam', { prefetch: 100 })
    const working = (async () => {
      for (;;) {
        const deliveries = await consumer.take(100)
        if (deliveries.length === 0 && survivor.closed) return
        for (const delivery of deliveries) {
          const { args, messageId } = Message.decode(delivery.body)
          const name = String(args[0])
          note(name, messageId)
          const sends = name.includes('after')
            ? []
            : [{ message: new Message({ queueName: 'exam', actorName: 'note', args: [`after ${name}`] }) }]
          void consumer.ack(delivery, sends).then(() => acked.add(name))
        }
      }
    })()
    await survivor.join('exam', { timeout: '60s' })
    t.same(await survivor.stats('exam'), { ready: 0, delayed: 0, inFlight: 0, dead: 0 })
    await survivor.close()
    await working

    // Then no message is missing, and those sent with an acknowledgement were sent exactly once
    const lost = [...sent].filter((name) => !taken.has(name))
    t.same(lost, [], 'every send that had resolved was processed')
    const parents = [...taken.keys()].filter((name) => !name.includes('after'))
    const wrong = parents.filter((name) => taken.get(`after ${name}`)?.size !== 1)
    t.same(wrong, [], 'every message was followed by one other')
    t.same(
      inDatabase(path, (database) => database.prepare('PRAGMA integrity_check').get()),
      { integrity_check: 'ok' },
    )
    t.comment(`${sent.size} sent and reported, ${parents.length} processed`)
  },
)
