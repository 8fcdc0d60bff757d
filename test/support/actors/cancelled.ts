/** Actors that are cancelled: imported by the test or a child process and, again, by its threads. */
import { writeSync } from 'node:fs'
import { actor, current, getBroker } from '../../../lib/index.js'

/** At once, also from a thread that is blocked right after that. */
function tell(line: string): void {
  writeSync(1, `${line}\n`)
}

const shared = { storeResults: true, maxRetries: 2, minBackoff: 1, maxBackoff: 1 } as const

/** Never ends by itself, and can only be terminated. */
export const spin = actor(
  function spin(name: string) {
    tell(`started ${name}`)
    for (;;);
  },
  { ...shared, timeLimit: '5m' },
)

/** Ends when its signal aborts. */
export const listen = actor(
  async function listen(name: string) {
    tell(`started ${name}`)
    const { signal } = current()
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    tell(`aborted ${name} ${(signal.reason as Error).name}`)
    throw signal.reason
  },
  { ...shared, timeLimit: '5m' },
)

/** Cancels another message, by its id. */
export const cancels = actor(async function cancels(id: string) {
  return getBroker().cancel(id, { reason: 'from a thread', queueName: 'default' })
}, shared)

/** Cancels what it has sent, and the messages of an actor. */
export const cancelsItsOwn = actor(async function cancelsItsOwn() {
  const message = await listen.sendWithOptions({ args: ['never'], delay: '1h' })
  const answer = await message.cancel()
  const { ids } = await getBroker().cancelMany({ actor: 'nothing', queue: 'default' })
  return [answer, message.messageId, ids.length] as const
}, shared)

/** Cancels itself through its broker, like any other process would. */
export const cancelsItself = actor(async function cancelsItself() {
  const { message, signal } = current()
  await getBroker().cancel(message.messageId, { reason: 'myself', queueName: 'default' })
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
}, shared)
