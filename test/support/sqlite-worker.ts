/**
 * Child process of the SQLite tests: takes and acknowledges until it is killed or stopped, and reports on lines of
 * standard output. Every message whose name has no "after" in it is acknowledged together with a send of one that has.
 *
 * argv: path, heartbeatTimeout in milliseconds, "hold" to acknowledge only after a line on standard input, and by how
 *       many milliseconds its clock differs from that of others
 * out:  "took <name> <messageId> <deliveryCount>", "acked <name>"
 */
import { once } from 'node:events'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import type { Delivery } from '../../lib/consumer.js'
import { Message } from '../../lib/message.js'
import { say } from './say.js'

const [path, heartbeatTimeout, hold, step = 0] = process.argv.slice(2) as [string, string, string?, string?]
const { now } = Date
Date.now = () => now() + Number(step)

const broker = new SQLiteBroker({ path, middleware: [], heartbeatTimeout: Number(heartbeatTimeout) })
const consumer = broker.consume('exam', { prefetch: 20 })
say('ready')

const settle = async (delivery: Delivery): Promise<void> => {
  const { args } = Message.decode(delivery.body)
  const name = String(args[0])
  const sends = name.includes('after')
    ? []
    : [{ message: new Message({ queueName: 'exam', actorName: 'note', args: [`after ${name}`] }) }]
  await consumer.ack(delivery, sends)
  say(`acked ${name}`)
}

while (true) {
  const deliveries = await consumer.take(20)
  for (const { body, deliveryCount } of deliveries) {
    const { args, messageId } = Message.decode(body)
    say(`took ${args[0]} ${messageId} ${deliveryCount}`)
  }
  if (hold && deliveries.length > 0) await once(process.stdin, 'data')
  await Promise.all(deliveries.map(settle))
}
