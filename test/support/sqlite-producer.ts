/**
 * Child process of the SQLite tests: sends until it has sent `count` messages (or is killed), and reports each name on
 * a line of standard output once its send has resolved. First prints "ready" and waits for a line on standard input.
 *
 * argv: path, prefix of the names, count
 */
import { once } from 'node:events'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import { Message } from '../../lib/message.js'
import { say } from './say.js'

const [path, prefix, count] = process.argv.slice(2) as [string, string, string]

const broker = new SQLiteBroker({ path, middleware: [], enqueueTimeout: '1m' })
say('ready')
await once(process.stdin, 'data')

const send = async (name: string, delay?: number): Promise<void> => {
  await broker.enqueue(new Message({ queueName: 'exam', actorName: 'note', args: [name] }), { delay })
  say(name)
}

// Some single, some in batches, some delayed, so that a kill may hit any of these.
for (let sent = 0; sent < Number(count); ) {
  const together = Math.min(1 + Math.floor(Math.random() * 20), Number(count) - sent)
  await Promise.all(
    Array.from({ length: together }, (_, index) =>
      send(`${prefix}${sent + index}`, index % 3 === 0 ? index * 5 : undefined),
    ),
  )
  sent += together
}
await broker.close()
process.stdin.destroy()
