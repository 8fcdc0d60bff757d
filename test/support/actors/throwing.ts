/** Actors that throw unusual values, on threads and inline: imported by the test and, again, by its threads. */
import { runInNewContext } from 'node:vm'
import { actor, Retry, SkipMessage as TheirSkip } from '../../../lib/index.js'

export class PaymentRefused extends Error {}
class Declined extends PaymentRefused {
  override name = 'Declined'
}
class StolenCard extends Declined {}
class Coded extends Error {
  override name = 'card.refused'
}
/** Classes of an application, which happen to have the names of dramatis' own. */
class SkipMessage extends Error {
  readonly fail = false
}
class ActorNotFound extends Error {}
class MySkip extends TheirSkip {}
class HTTPError extends Error {
  readonly #status: number
  constructor(status: number) {
    super(`status ${status}`)
    this.#status = status
  }
  get status(): number {
    return this.#status
  }
  get response(): string {
    throw new Error('not there any more')
  }
}

const fail = (): never => {
  throw new Error('unreadable')
}
const traps = Object.fromEntries(
  ['get', 'getPrototypeOf', 'ownKeys', 'has', 'getOwnPropertyDescriptor', 'set', 'defineProperty'].map((trap) => [
    trap,
    fail,
  ]),
)
const trapped = (target: object): object => new Proxy(target, traps)
const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}
const withProperty = (key: string, descriptor: PropertyDescriptor): Error =>
  Object.defineProperty(new Error('odd'), key, { configurable: true, ...descriptor })
const circular = (): Error => {
  const error: Error & { self?: unknown } = new Error('circular')
  error.cause = error
  error.self = { error }
  return error
}
const likeAxios = (): Error => {
  const request: Record<string, unknown> = { send() {} }
  request.self = request
  const response = { status: 503, headers: { 'retry-after': '5' }, request, data: { errors: [{ code: 'busy' }] } }
  return Object.assign(new Error('Request failed'), { code: 'ERR_BAD_RESPONSE', response, when: new Date(0) })
}

/** Values that can be read normally, or almost. */
export const readable: Record<string, () => unknown> = {
  nameless: () => new PaymentRefused('too large'),
  derived: () => new StolenCard('no. 1'),
  coded: () => new Coded('no. 2'),
  object: () => ({ status: 404, body: { text: 'gone' } }),
  errorLike: () => ({ name: 'Refused', message: 'in a word', code: 7 }),
  text: () => 'just a text',
  getter: () => new HTTPError(418),
  axios: likeAxios,
  fetch: () => Object.assign(new Error('HTTP'), { response: new Response('no', { status: 429 }) }),
  refused: () =>
    new AggregateError([
      new Error('connect ECONNREFUSED ::1:5432'),
      Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED' }),
    ]),
  aggregate: () => new AggregateError([new TypeError('one'), 'two'], 'both failed'),
  cause: () => new TypeError('fetch failed', { cause: new Error('outer', { cause: new RangeError('inner') }) }),
  oddCause: () => new Error('with a cause', { cause: { code: 'E5', list: [1] } }),
  realm: () => runInNewContext('Object.assign(new TypeError("elsewhere"), { code: "E1" })'),
  skip: () => new SkipMessage('not ours'),
  notFound: () => new ActorNotFound('not ours'),
  domException: () => new DOMException('stopped', 'TimeoutError'),
}

/** Values that can't. */
export const unreadable: Record<string, () => unknown> = {
  'a rejected promise': () => Promise.reject(new Error('inner')),
  'a name that is a symbol': () => withProperty('name', { value: Symbol('name') }),
  'a name that throws': () => withProperty('name', { get: fail }),
  'a message that throws': () => withProperty('message', { get: fail }),
  'a message that is an object': () => withProperty('message', { value: { toString: fail } }),
  'a stack that is a number': () => withProperty('stack', { value: 5 }),
  'a stack that throws': () => withProperty('stack', { get: fail }),
  'a cause that throws': () => withProperty('cause', { get: fail }),
  'a cause that is a Proxy': () => new Error('odd', { cause: trapped(new Error('x')) }),
  'a field that throws': () => withProperty('extra', { get: fail, enumerable: true }),
  'a toString that throws': () => Object.assign(new Error('odd'), { toString: fail, toJSON: fail }),
  'a constructor that throws': () => withProperty('constructor', { get: fail }),
  'errors that are none': () => Object.assign(new Error('odd'), { errors: trapped([]) }),
  'a Proxy': () => trapped({}),
  'a Proxy of an error': () => trapped(new TypeError('x')),
  'a revoked Proxy': revoked,
  'a function': () => trapped,
  'a symbol': () => Symbol('odd'),
  'a frozen error': () => Object.freeze(new PaymentRefused('frozen')),
  nothing: () => undefined,
  'no prototype': () => Object.create(null),
  'an error that is its own cause': circular,
  'something deep': () => {
    let deep: Error | undefined
    for (let level = 0; level < 10_000; level++) deep = new Error(`level ${level}`, { cause: deep })
    return deep
  },
  'something wide': () => Object.assign(new Error('wide'), { list: new Array(1e6).fill('x'), ['k'.repeat(1e6)]: 1 }),
  'a name of a megabyte': () => withProperty('name', { value: 'n'.repeat(1e6) }),
  'a text of 40 MB': () => new Error('x'.repeat(40e6)),
  'a field of 40 MB': () => Object.assign(new Error('long'), { body: 'x'.repeat(40e6) }),
}

/** The errors that `retryWhen` received: it is called on the main thread only. */
export const seen: Error[] = []

const shared = { storeResults: true, minBackoff: 1, maxBackoff: 1 } as const

export const fling = actor(
  async function fling(what: string) {
    throw (readable[what] ?? unreadable[what])?.()
  },
  {
    ...shared,
    retryWhen: (retries, error) => {
      seen.push(error)
      return retries < 1
    },
  },
)

/** The same without a promise. */
export const flingAtOnce = actor(
  function flingAtOnce(what: string) {
    throw (readable[what] ?? unreadable[what])?.()
  },
  { ...shared, maxRetries: 0 },
)

export const refusePayment = actor(
  async function refusePayment() {
    throw new StolenCard('hopeless')
  },
  { ...shared, maxRetries: 5, throws: PaymentRefused },
)

export const skip = actor(async function skip(own: boolean) {
  throw own ? new MySkip('ours, derived') : new TheirSkip('ours')
}, shared)

export const retryOnce = actor(
  async function retryOnce() {
    throw new Retry({ delay: 1, message: 'again' })
  },
  { ...shared, maxRetries: 1 },
)

export const fine = actor(() => 'fine', { ...shared, actorName: 'fine' })

/** Leaves an unhandled rejection, or throws in a timer. */
export const flingAside = actor(
  async function flingAside(what: string, how: 'promise' | 'timer') {
    const thrown = (unreadable[what] ?? readable[what])?.()
    if (how === 'promise') void Promise.reject(thrown)
    else
      setTimeout(() => {
        throw thrown
      }, 1)
    await new Promise((resolve) => setTimeout(resolve, 60_000))
  },
  { ...shared, maxRetries: 0 },
)
