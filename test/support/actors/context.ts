/** Actors that read context values: imported by the test and, again, by each of its threads. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { isMainThread } from 'node:worker_threads'
import { actor, batchActor, contextValue, current, getBroker, type Message } from '../../../lib/index.js'

const shared = { storeResults: true, maxRetries: 0 } as const

export const requestId = new AsyncLocalStorage<string>()
export const tenant = new AsyncLocalStorage<{ name: string }>()
export const user = new AsyncLocalStorage<{ name: string; roles: string[] }>()
/** What was restored before the tenant. */
const order = new AsyncLocalStorage<string[]>()

contextValue('requestId', requestId)
contextValue('user', user)
contextValue('tenant', {
  get: () => tenant.getStore()?.name,
  run: (name, next) => order.run([`within ${requestId.getStore()}`], () => tenant.run({ name }, next)),
})
/** A source with every fault that `run` can have. */
contextValue('fault', {
  get: (): string | undefined => undefined,
  async run(fault, next) {
    if (fault === 'throws') throw new RangeError('no such user')
    if (fault === 'returns without next') return 'from run'
    if (fault === 'calls next twice') await Promise.all([next(), next()])
    // What it returns, and what it hides, changes nothing.
    next().catch(() => {})
    if (fault === 'throws too late') throw new RangeError('too late')
    await new Promise(setImmediate)
    return 'from run'
  },
})

const seenByPlugin = new WeakMap<Message, string | undefined>()
getBroker().use({
  name: 'watcher',
  aroundActor(_, next) {
    seenByPlugin.set(current().message, requestId.getStore())
    return next()
  },
})

interface Seen {
  readonly requestId: string | undefined
  readonly tenant: string | undefined
  readonly user: unknown
  readonly plugin: string | undefined
  readonly order: string[] | undefined
  /** What came with the message. */
  readonly context: unknown
  readonly isMainThread: boolean
}

function look(): Seen {
  const { message } = current()
  return {
    requestId: requestId.getStore(),
    tenant: tenant.getStore()?.name,
    user: user.getStore(),
    plugin: seenByPlugin.get(message),
    order: order.getStore(),
    context: message.options.context,
    isMainThread,
  }
}

export const seen = actor(
  async function seen(_: unknown = undefined): Promise<Seen> {
    await new Promise(setImmediate)
    return look()
  },
  { ...shared, pipeIgnore: true },
)

export const seenAtOnce = actor(() => look(), { ...shared, actorName: 'seenAtOnce' })

/** Sends `seen` from within, and returns what that saw. */
export const parent = actor(
  async (without?: 'without a request id') => {
    const send = () => seen.send()
    const message = await (without ? requestId.exit(send) : send())
    return message.result({ timeout: '20s' })
  },
  { ...shared, actorName: 'parent' },
)

const tried = new Set<string>()

export const flaky = actor(
  async () => {
    const { messageId } = current().message
    if (!tried.has(messageId)) {
      tried.add(messageId)
      user.getStore()?.roles.push('owner')
      throw new Error('not yet')
    }
    return look()
  },
  { ...shared, actorName: 'flaky', maxRetries: 1, minBackoff: 1, maxBackoff: 1 },
)

export const failing = actor(
  (what: string) => {
    throw new TypeError(what)
  },
  { ...shared, actorName: 'failing' },
)

export const stopped = actor(
  async () => {
    const { signal } = current()
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => void seen.send().then(() => resolve()))
    })
  },
  { ...shared, actorName: 'stopped', timeLimit: 50 },
)

/** For each item, what the batch has, and what it sends. */
export const batch = batchActor(
  async (items: number[]) => {
    const message = await seen.send()
    const sent = await message.result({ timeout: '20s' })
    return items.map((_, index) => ({
      inBatch: requestId.getStore() ?? null,
      sent: sent.context ?? null,
      ofItem: current().messages[index]?.options.context,
    }))
  },
  { ...shared, actorName: 'batch', size: 3, linger: '50ms' },
)

export const callback = actor(async (..._: unknown[]) => look(), { ...shared, actorName: 'callback' })
