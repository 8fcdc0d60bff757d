/**
 * The contract tests that every results backend must pass.
 */
import { NotSerializable, ResultFailure, ResultMissing, ResultTimeout } from '../../lib/errors.js'
import { Message } from '../../lib/message.js'
import type { ResultBackend, ResultBackendOptions } from '../../lib/results/backend.js'
import { parseDuration, pause } from '../../lib/time.js'
import { ContractTest, type Teardowns, type TestFunction } from './contract-test.js'
import { inTime, until } from './waiting.js'

type Awaitable<T> = T | Promise<T>

/** Makes a backend on its own empty store. The test closes it; what else is to be done then is told to `t`. */
export type MakeResults = (options: ResultBackendOptions, t: Teardowns) => Awaitable<ResultBackend>

/** What `resultsContract` needs. */
export interface ResultsContractOptions {
  /** The function of the test runner that registers a test. */
  test: TestFunction
  /** The name of the backend in the titles. */
  name: string
  /** Makes a backend with these options on its own empty store. */
  make: MakeResults
  /** Makes another backend on the store of `backend`, as in another process. Absent if no other process can reach it. */
  another?(backend: ResultBackend, options: ResultBackendOptions): Awaitable<ResultBackend>
}

const ttl = 600_000
const traceback = 'Traceback (most recent call first):\n    at “there” (ü.js:1:2)\nError: x\n'

type Answer<More extends unknown[]> = (t: ContractTest, backend: ResultBackend, ...more: More) => Promise<void>

/**
 * Registers the contract tests of results backends: what `message.result()` relies on.
 *
 * @example
 * import { test } from 'node:test'
 * resultsContract({ test, name: 'MyResults', make: (options) => new MyResults(options) })
 */
export function resultsContract({ test, name, make, another }: ResultsContractOptions): void {
  const register = (title: string, missing: readonly string[], answer: Answer<[]>): void => {
    ContractTest.register(test, `${name}: ${title}`, missing, async (t) => {
      const backend = await make({}, t)
      t.teardown(() => backend.close())
      await answer(t, backend)
    })
  }
  const ask = (title: string, answer: Answer<[]>): void => register(title, [], answer)
  const askTwo = (title: string, answer: Answer<[NonNullable<typeof another>]>): void => {
    if (another) ask(title, (t, backend) => answer(t, backend, another))
    else register(title, ['second process that reaches it'], async () => {})
  }

  ask('a stored result can be read any number of times', async (t, backend) => {
    const values = [42, 1.5, 'hé 世界 😀', '', null, true, false, 0, [], {}, [1, 'a', null], { a: { b: [1] } }]
    for (const value of values) {
      const message = run()
      await backend.storeResult(message, value, ttl)
      t.same(await backend.get(message, { timeout: 0 }), value)
      t.same(await backend.get(message, { timeout: '5s' }), value)
    }
  })

  ask('the result of an actor that returns nothing is null', async (t, backend) => {
    const message = run()
    await backend.storeResult(message, undefined, ttl)
    t.equal(await backend.get(message, { timeout: 0 }), null)
  })

  ask('a large result can be read', async (t, backend) => {
    const message = run()
    const value = { text: 'ü'.repeat(500_000) }
    await backend.storeResult(message, value, ttl)
    t.same(await backend.get(message), value)
  })

  ask('a failure is thrown, with the type and message of the original error', async (t, backend) => {
    const message = run()
    await backend.storeFailure(message, { type: 'TypeError', message: 'no “such” thing' }, ttl)
    const error = await backend.get(message).catch((error: unknown) => error)
    t.ok(error instanceof ResultFailure)
    t.match(error, { type: 'TypeError', reason: 'no “such” thing' })
  })

  ask('a failure is thrown with its own traceback, with and without waiting', async (t, backend) => {
    const message = run()
    const caught = (timeout: number): Promise<unknown> => backend.get(message, { timeout }).catch((error) => error)
    const waiting = caught(10_000)
    await backend.storeFailure(message, { type: 'Error', message: 'x', traceback }, ttl)
    const expected = { name: 'ResultFailure', type: 'Error', reason: 'x', traceback }
    t.match(await inTime(waiting, 'the failure'), expected)
    t.match(await caught(0), expected)
    await backend.storeFailure(message, { type: 'Error', message: 'y' }, ttl)
    const second = (await caught(0)) as ResultFailure
    t.equal(second.reason, 'y')
    t.equal(second.traceback, undefined, 'not the traceback of an earlier one')
  })

  ask('without a result: ResultMissing if read once, ResultTimeout after waiting', async (t, backend) => {
    await t.rejects(backend.get(run(), { timeout: 0 }), ResultMissing)
    await t.rejects(backend.get(run(), { timeout: 30 }), ResultTimeout)
  })

  ask('a result stored during waits is returned to all of them', async (t, backend) => {
    const message = run()
    const waiting = Promise.all([1, 2, 3].map(() => backend.get(message, { timeout: '10s' })))
    await backend.storeResult(message, 'at last', ttl)
    t.same(await inTime(waiting, 'the result'), ['at last', 'at last', 'at last'])
  })

  ask('a result may be waited for, and kept, longer than the longest timer of Node', async (t, backend) => {
    for (const timeout of ['365d', Number.MAX_SAFE_INTEGER] as const) {
      const message = run()
      const waiting = backend.get(message, { timeout })
      await pause(30)
      await backend.storeResult(message, 'at last', parseDuration(timeout, 'ttl'))
      t.equal(await inTime(waiting, 'the result'), 'at last')
      t.equal(await backend.get(message, { timeout: 0 }), 'at last')
    }
  })

  ask('a failure stored during a wait is thrown', async (t, backend) => {
    const message = run()
    const waiting = backend.get(message, { timeout: '10s' }).catch((error: unknown) => error)
    await backend.storeFailure(message, { type: 'Error', message: 'late' }, ttl)
    t.ok((await inTime(waiting, 'the failure')) instanceof ResultFailure)
  })

  ask('a second result replaces the first', async (t, backend) => {
    const message = run()
    await backend.storeFailure(message, { type: 'Error', message: 'first' }, ttl)
    await backend.storeResult(message, 'second', ttl)
    t.equal(await backend.get(message), 'second')
  })

  ask('a result expires after its time to live', async (_, backend) => {
    const message = run()
    await backend.storeResult(message, 'brief', 30)
    const gone = (): Promise<boolean> => backend.get(message, { timeout: 0 }).then(() => false, isMissing)
    await until(gone, 'the end of the result')
  })

  ask('results are identified by queue, actor and message, whichever name of the queue is used', async (t, backend) => {
    const message = run()
    await backend.storeResult(message, 'mine', ttl)
    await t.rejects(backend.get(message.with({ actorName: 'other' }), { timeout: 0 }), ResultMissing)
    await t.rejects(backend.get(message.with({ queueName: 'other' }), { timeout: 0 }), ResultMissing)
    await t.rejects(backend.get(message.with({ messageId: 'other' }), { timeout: 0 }), ResultMissing)
    t.equal(await backend.get(message.with({ queueName: 'default.DQ' }), { timeout: 0 }), 'mine')
  })

  ask('a value that JSON can not represent is refused, with its path', async (t, backend) => {
    const message = run()
    const error = await backend.storeResult(message, { deep: [1n] }, ttl).catch((error: unknown) => error)
    t.ok(error instanceof NotSerializable)
    t.match(error, { path: 'result.deep[0]' })
    await t.rejects(backend.get(message, { timeout: 0 }), ResultMissing)
  })

  ask('a forgotten result is deleted with its traceback, and can be waited for again', async (t, backend) => {
    const [message, other] = [run(), run()]
    await backend.storeFailure(message, { type: 'Error', message: 'x', traceback }, ttl)
    await backend.storeResult(other, 'other', ttl)
    await backend.forget(message)
    await backend.forget(run())
    await t.rejects(backend.get(message, { timeout: 0 }), ResultMissing)
    t.equal(await backend.get(other, { timeout: 0 }), 'other')
    const waiting = backend.get(message, { timeout: '10s' })
    await backend.storeResult(message, 'second', ttl)
    t.equal(await inTime(waiting, 'the result'), 'second')
  })

  ask('hundreds of simultaneous waits each get their own result', async (t, backend) => {
    const messages = Array.from({ length: 300 }, run)
    const waiting = Promise.all(messages.map((message) => backend.get(message, { timeout: '30s' })))
    await Promise.all(messages.map((message, index) => backend.storeResult(message, index, ttl)))
    t.same(
      await inTime(waiting, 'the results'),
      messages.map((_, index) => index),
    )
  })

  askTwo('a result stored by one process is read by another', async (t, backend, open) => {
    const other = await open(backend, {})
    t.teardown(() => other.close())
    const [before, after] = [run(), run()]
    await backend.storeResult(before, 'before', ttl)
    t.equal(await other.get(before, { timeout: 0 }), 'before')
    const waiting = other.get(after, { timeout: '10s' })
    await backend.storeResult(after, 'after', ttl)
    t.equal(await inTime(waiting, 'the result'), 'after')
  })

  askTwo('a failure reaches another process with its traceback', async (t, backend, open) => {
    const other = await open(backend, {})
    t.teardown(() => other.close())
    const message = run()
    const waiting = other.get(message, { timeout: '10s' }).catch((error: unknown) => error)
    await backend.storeFailure(message, { type: 'Error', message: 'x', traceback }, ttl)
    const expected = { name: 'ResultFailure', type: 'Error', reason: 'x', traceback }
    t.match(await inTime(waiting, 'the failure'), expected)
    t.match(await other.get(message, { timeout: 0 }).catch((error: unknown) => error), expected)
  })

  askTwo('namespaces are separate', async (t, backend, open) => {
    const other = await open(backend, { namespace: 'elsewhere' })
    t.teardown(() => other.close())
    const message = run()
    await backend.storeResult(message, 'here', ttl)
    await t.rejects(other.get(message, { timeout: 0 }), ResultMissing)
  })
}

function run(): Message {
  return new Message({ queueName: 'default', actorName: 'run', args: [] })
}

function isMissing(error: unknown): boolean {
  if (error instanceof ResultMissing) return true
  throw error
}
