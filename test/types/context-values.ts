/** Context values: an `AsyncLocalStorage`, or functions that read and restore the value. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { expectTypeOf } from 'expect-type'
import { type ContextValue, contextValue } from '../../lib/index.js'

interface Request {
  readonly id: string
  readonly tenant?: string
  readonly started: Date
}
const request = new AsyncLocalStorage<Request>()

export function aStorageIsRegisteredAsItIs(): void {
  contextValue('requestId', new AsyncLocalStorage<string>())
  contextValue('user', new AsyncLocalStorage<{ name: string; roles: string[] } | undefined>())
  contextValue('anything', new AsyncLocalStorage<unknown>())
  // @ts-expect-error should be JSON, which `started` is not
  contextValue('request', request)
  // @ts-expect-error should be a storage, or functions
  contextValue('request', 'r1')
  // @ts-expect-error should be a text
  contextValue(1, new AsyncLocalStorage<string>())
}

export function runTakesWhatGetReturns(): void {
  contextValue('requestId', {
    get: () => request.getStore()?.id,
    run(id, next) {
      expectTypeOf(id).toEqualTypeOf<string>()
      expectTypeOf(next).toEqualTypeOf<() => Promise<unknown>>()
      return request.run({ id, started: new Date() }, next)
    },
  })
  contextValue('locale', {
    get: (): 'de' | 'en' | undefined => undefined,
    async run(locale, next) {
      expectTypeOf(locale).toEqualTypeOf<'de' | 'en'>()
      await next()
    },
  })
  // @ts-expect-error should be JSON, which a Date is not
  contextValue('started', { get: () => request.getStore()?.started, run: (_, next) => next() })
  // @ts-expect-error should have `run`
  contextValue('requestId', { get: () => 'r1' })
  // @ts-expect-error should have a `run` that takes what `get` returns
  contextValue('requestId', { get: () => 'r1', run: (id: number, next: () => Promise<unknown>) => (id ? next() : id) })
}

export const own: ContextValue<string> = { get: () => 'r1', run: (_, next) => next() }
