/** Actors with plugins around them: imported by the test and, again, by each of its threads. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { BroadcastChannel, isMainThread, threadId } from 'node:worker_threads'
import { actor, current, getBroker, type Message, type Middleware, SkipMessage, TimeLimit } from '../../../lib/index.js'

const shared = { storeResults: true, maxRetries: 0 } as const
const trail = new AsyncLocalStorage<string[]>()
const threadHooks: string[] = []

/** Reports to the test what happens in a thread when no actor runs. */
function recordHook(what: string): void {
  threadHooks.push(what)
  const channel = new BroadcastChannel('hooked')
  channel.postMessage({ what, isMainThread, session: process.env.HOOKED_SESSION })
  channel.close()
}

/** Wraps the actor in a context; added first. */
class Outer implements Middleware {
  aroundActor(message: Message, next: () => Promise<unknown>): Promise<unknown> {
    return trail.run([`outer around ${current().message.messageId === message.messageId}`], next)
  }

  afterThreadStart(): void {
    recordHook('start')
    if (process.env.HOOKED_FAILS) throw new Error('no tracing today')
  }

  async beforeThreadStop(): Promise<void> {
    await new Promise(setImmediate)
    recordHook('stop')
  }

  get essential(): boolean {
    return Boolean(process.env.HOOKED_FAILS)
  }
}

/** A plugin that isn't essential: nothing it does can affect a message. */
class Watcher implements Middleware {
  async aroundActor(message: Message, next: () => Promise<unknown>): Promise<unknown> {
    trail.getStore()?.push('watcher')
    if (message.args[0] === 'watcher fails before') throw new Error('blind')
    try {
      await next()
    } catch {
      // It suppresses an error of others.
    }
    if (message.args[0] === 'watcher fails after') throw new Error('blind')
    return 'from the watcher'
  }
}

/** As a transaction would be. */
class Transaction implements Middleware {
  readonly essential = true

  async aroundActor({ args, messageId }: Message, next: () => Promise<unknown>): Promise<unknown> {
    trail.getStore()?.push('transaction')
    if (args[0] === 'skip') throw new SkipMessage('not today')
    if (args[0] === 'hang') await new Promise((resolve) => setTimeout(resolve, 60_000, messageId).unref())
    const result = await next()
    if (args[0] === 'conflict') throw Object.assign(new RangeError('could not commit'), { code: 'CONFLICT' })
    return args[0] === 'replace' ? `committed ${result}` : result
  }
}

// Next to a plugin of the default chain, which is missing in threads whose broker is that of the main thread.
getBroker().use(new Outer(), { before: TimeLimit }).use(new Watcher()).use(new Transaction())

/** How often each message was tried on this thread. */
const attempts = new Map<string, number>()

export const surrounded = actor(async function surrounded(how: string) {
  const { messageId } = current().message
  attempts.set(messageId, (attempts.get(messageId) ?? 0) + 1)
  await new Promise(setImmediate)
  if (how === 'throw') throw new TypeError('from the actor')
  return { how, isMainThread, threadId, trail: trail.getStore() }
}, shared)

export const replaced = actor((how: string) => how, { ...shared, actorName: 'replaced' })

export const hanging = actor((how: string) => how, { ...shared, actorName: 'hanging', timeLimit: 100 })

export const stubborn = actor((how: string) => how, {
  ...shared,
  actorName: 'stubborn',
  maxRetries: 2,
  minBackoff: 1,
  maxBackoff: 1,
  retryWhen: (retries, error) => retries < 1 && (error as { code?: string }).code === 'CONFLICT',
})

export const tried = actor((messageId: string) => attempts.get(messageId) ?? 0, { ...shared, actorName: 'tried' })

export const hooksOfThread = actor(() => threadHooks, { ...shared, actorName: 'hooksOfThread' })
