/** Actors for workers in separate processes. Tests see what they do in their results and in the lines they print. */
import { isMainThread, MessageChannel, threadId } from 'node:worker_threads'
import { actor, current } from '../../../lib/index.js'

const shared = { storeResults: true, maxRetries: 0 } as const
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Reports to the test what happens here. */
function say(line: string): void {
  // The streams of a thread lose their content when the process is killed.
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

/** Blocks its event loop for a while as soon as the process gets the stop signal. */
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

/** Ends some time after the worker began to shut down. */
export const polite = actor(
  async () => {
    const { signal } = current()
    say('polite began')
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    return 'ended in good order'
  },
  { ...shared, actorName: 'polite', notifyShutdown: true, timeLimit: null },
)

/** Ends its process. */
export const murder = actor(
  async () => {
    say('murder began')
    process.kill(process.pid, 'SIGKILL')
    await wait(600_000)
  },
  { ...shared, actorName: 'murder', maxRetries: 2 },
)

export const onMail = actor((a: number) => a, { ...shared, actorName: 'onMail', queueName: 'mail' })

/** Ends its thread. */
export const quit = actor(() => process.exit(3), { ...shared, actorName: 'quit' })

const { port1, port2 } = new MessageChannel()
port2.on('message', () => process.exit(4)).unref()

/** Ends its thread in a callback that belongs to no message, like those of a shared connection. */
export const quitElsewhere = actor(
  async () => {
    await wait(300)
    port1.postMessage('exit')
    await wait(600_000)
  },
  { ...shared, actorName: 'quitElsewhere' },
)
