// biome-ignore-all lint/suspicious/noThenProperty: some of it tests thenables
/** Actors whose outcomes must be the same inline and on threads: imported by the test and, again, by its threads. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { runInNewContext } from 'node:vm'
import { BroadcastChannel } from 'node:worker_threads'
import { actor, current, TimeLimitExceeded } from '../../../lib/index.js'

const shared = { storeResults: true, maxRetries: 0 } as const

class Money {
  readonly #cents = 1999
  get cents(): number {
    return this.#cents
  }
}
class Tags extends Array<string> {}

const loop: unknown[] = []
loop.push(loop)
const revocable = Proxy.revocable({}, {})
revocable.revoke()

/** Results that JSON represents unchanged. */
export const plain: Record<string, () => unknown> = {
  nothing: () => undefined,
  null: () => null,
  text: () => 'ünï\ud83d\ude00',
  minusZero: () => -0,
  nested: () => ({ a: [1, { b: null, c: undefined }], '': true }),
  shared: () => {
    const one = { a: 1 }
    return [one, one]
  },
  bare: () => Object.assign(Object.create(null), { a: 1 }),
  realm: () => runInNewContext('({ a: [1, { b: 2 }] })'),
  getter: () => ({
    get a() {
      return 1
    },
  }),
  hidden: () => Object.defineProperty({ a: 1 }, 'secret', { value: 2 }),
  symbolKey: () => ({ [Symbol('s')]: 1, a: 1 }),
  proxy: () => new Proxy({ a: [1] }, {}),
  tags: () => Tags.from(['a', 'b']),
  frozen: () => Object.freeze({ a: 1 }),
  promise: () => Promise.resolve(Promise.resolve(5)),
  thenable: () => ({ then: (resolve: (value: unknown) => void) => resolve('then') }),
  thenableOfThenable: () => ({
    then: (resolve: (value: unknown) => void) => resolve(Promise.resolve('in the end')),
  }),
  eager: () => ({
    then(resolve: (value: unknown) => void, reject: (error: unknown) => void) {
      resolve('once')
      resolve('twice')
      reject(new Error('and then this'))
    },
  }),
}

/** Results that JSON would lose or change, with the text of the error. */
export const odd: Record<string, [make: () => unknown, said: RegExp]> = {
  money: [() => ({ total: new Money() }), /result\.total is a Money/],
  url: [() => ({ link: new URL('http://a.example') }), /result\.link is a URL/],
  date: [() => [new Date(0)], /result\[0\] is a Date/],
  map: [() => new Map([[1, 2]]), /result is a Map/],
  buffer: [() => ({ bytes: Buffer.from('x') }), /result\.bytes is a Buffer/],
  typed: [() => new Uint8Array(2), /result is a Uint8Array/],
  error: [() => ({ error: new TypeError('x') }), /result\.error is a TypeError/],
  nan: [() => ({ a: Number.NaN }), /result\.a is NaN/],
  big: [() => ({ a: 1n }), /result\.a is 1n/],
  symbol: [() => Symbol('s'), /result is Symbol\(s\)/],
  fn: [() => ({ a: () => 1 }), /result\.a is a function/],
  hole: [() => [1, undefined], /result\[1\] is undefined/],
  cycle: [() => loop, /result\[0\] refers back/],
  toJSON: [
    () => ({ a: Object.defineProperty({}, 'toJSON', { value: () => 'other' }) }),
    /result\.a is an object with a toJSON/,
  ],
  throwing: [
    () => ({
      get a() {
        throw new RangeError('not today')
      },
    }),
    /can't be read: not today/,
  ],
  revoked: [() => ({ a: revocable.proxy }), /can't be read/],
  message: [() => current().message, /result is a Message/],
  actor: [() => answer, /result is a function/],
  throwingThen: [
    () => ({
      get then() {
        throw new RangeError('no then')
      },
    }),
    /no then/,
  ],
}

export const answer = actor(async function answer(what: string) {
  return plain[what]?.() ?? odd[what]?.[0]()
}, shared)

/** The same without an async function. */
export const answerAtOnce = actor(function answerAtOnce(what: string) {
  return plain[what]?.() ?? odd[what]?.[0]()
}, shared)

/** Its result isn't stored. */
export const unwanted = actor(function unwanted(what: string) {
  return plain[what]?.() ?? odd[what]?.[0]()
})

/** The same rules apply to results that `onSuccess` and pipelines pass on. */
export const handedOn = actor(function handedOn(_message: unknown, result: unknown) {
  return result
}, shared)
export const callsBack = actor(
  function callsBack(what: string) {
    return plain[what]?.() ?? odd[what]?.[0]()
  },
  { maxRetries: 0, onSuccess: handedOn },
)

/** Changes its arguments before it fails; the next attempt must see the original ones. */
export const spoil = actor(
  async function spoil(list: number[], options: { seen: number; deep: { a?: number } }) {
    const before = JSON.stringify([list, options, current().message.args])
    list.push(99)
    options.seen++
    delete options.deep.a
    if (!current().message.options.retries) throw new Error('again')
    return before
  },
  { ...shared, maxRetries: 1, minBackoff: 1, maxBackoff: 1 },
)

/** The same for keyword arguments. */
export const spoilNamed = actor(
  async function spoilNamed(named: { list: number[] }) {
    const before = JSON.stringify(named)
    named.list.push(99)
    if (!current().message.options.retries) throw new Error('again')
    return before
  },
  { ...shared, maxRetries: 1, minBackoff: 1, maxBackoff: 1 },
)

const storage = new AsyncLocalStorage<number>()

export const surroundings = actor(async function surroundings(this: unknown, ...args: unknown[]) {
  const before = current().message.messageId
  const self = this === undefined
  await new Promise((resolve) => setImmediate(resolve))
  return {
    self,
    args: args.length,
    frozen: Object.isFrozen(current().message),
    same: before === current().message.messageId,
    sameArgs: args.every((arg, index) => arg === current().message.args[index]),
    leaked: storage.getStore() ?? null,
    aborted: current().signal.aborted,
  }
}, shared)

/** Returns the error that it is stopped with. */
export const stopped = actor(
  async function stopped(how: string) {
    const { signal } = current()
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    if (how === 'reason') throw signal.reason
    if (how === 'abort') throw new DOMException('aborted', 'AbortError')
    if (how === 'other') throw new Error('gave up', { cause: signal.reason })
    return { known: signal.reason instanceof TimeLimitExceeded, limit: (signal.reason as TimeLimitExceeded).timeLimit }
  },
  { ...shared, timeLimit: 20 },
)

/** Rejects with undefined. */
export const reject = actor(function reject() {
  return Promise.reject()
}, shared)

/** A generator function wrapped in another function, as by a decorator or a tracer. */
export const generates = actor(
  async function generates(isAsync: boolean): Promise<unknown> {
    async function* stroll() {
      yield 1
    }
    function* walk() {
      yield 1
    }
    return isAsync ? stroll() : walk()
  } as (isAsync: boolean) => Promise<null>,
  { actorName: 'generates', storeResults: true },
)

export const listens = actor(
  async () => {
    const { signal } = current()
    const over = new Promise<string>((resolve) => {
      signal.addEventListener('abort', () => resolve(current().message.messageId))
    })
    const channel = new BroadcastChannel('listens')
    channel.postMessage('ready')
    channel.close()
    return over
  },
  { actorName: 'listens', storeResults: true, maxRetries: 0 },
)
