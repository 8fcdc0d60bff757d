/** Actors for workers in processes of their own; what they do is seen in their results, and in the lines they print. */
import { isMainThread, MessageChannel, threadId } from 'node:worker_threads'
import { actor, current } from '../../../lib/index.js'

const shared = { storeResults: true, maxRetries: 0 } as const
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Tells the test what happens here. */
function say(line: string): void {
  // A thread's own streams lose what is in them when the process is killed.
  console.log(line)
}

export const add = actor((a: number, b: number) => a + b, { ...shared, actorName: 'add' })

export const where = actor(
  async () => {
    await wait(1)
    return { isMainThread, threadId, pid: process.pid, messageId: current().message.messageId }
  },
  { ...shared, actorName: 'where' },
)

/** Takes a while. */
export const brief = actor(
  async () => {
    say('brief began')
    await wait(1500)
    return 'done'
  },
  { ...shared, actorName: 'brief' },
)

/** Blocks its event loop for a while as soon as the process is asked to stop. */
export const blocking = actor(
  async () => {
    const asked = new Promise<void>((resolve) => process.once('SIGTERM', () => setImmediate(resolve)))
    say('blocking began')
    await asked
    for (const end = performance.now() + 2000; performance.now() < end; );
    return 'done'
  },
  { ...shared, actorName: 'blocking' },
)

/** Runs for longer than any test. */
export const endless = actor(
  async () => {
    say('endless began')
    await wait(600_000)
  },
  { ...shared, actorName: 'endless', timeLimit: null },
)

/** Ends when the worker shuts down, in its own time. */
export const polite = actor(
  async () => {
    const { signal } = current()
    say('polite began')
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    return 'ended in good order'
  },
  { ...shared, actorName: 'polite', notifyShutdown: true, timeLimit: null },
)

/** Takes its process along. */
export const murder = actor(
  async () => {
    say('murder began')
    process.kill(process.pid, 'SIGKILL')
    await wait(600_000)
  },
  { ...shared, actorName: 'murder', maxRetries: 2 },
)

export const onMail = actor((a: number) => a, { ...shared, actorName: 'onMail', queueName: 'mail' })

/** Takes its thread along. */
export const quit = actor(() => process.exit(3), { ...shared, actorName: 'quit' })

const { port1, port2 } = new MessageChannel()
port2.on('message', () => process.exit(4)).unref()

/** Takes its thread along in a callback that belongs to no message, as those of a shared connection are. */
export const quitElsewhere = actor(
  async () => {
    await wait(300)
    port1.postMessage('exit')
    await wait(600_000)
  },
  { ...shared, actorName: 'quitElsewhere' },
)
