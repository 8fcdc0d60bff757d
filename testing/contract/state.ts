/** The contract tests that every state backend must pass. */
import type { StateBackend } from '../../lib/state/backend.js'
import type { StateChange } from '../../lib/state/changes.js'
import { ContractTest, type Teardowns, type TestFunction } from './contract-test.js'
import { until } from './waiting.js'

type Awaitable<T> = T | Promise<T>

/** Makes a backend on its own empty store. The test closes it; what else is to be done then is told to `t`. */
export type MakeState = (t: Teardowns) => Awaitable<StateBackend>

/** What `stateContract` needs. */
export interface StateContractOptions {
  /** The function of the test runner that registers a test. */
  test: TestFunction
  /** The name of the backend in the titles. */
  name: string
  /** Makes a backend on its own empty store. */
  make: MakeState
  /** Makes another backend on the store of `state`, as in another process. Absent if no other process can reach it. */
  another?(state: StateBackend): Awaitable<StateBackend>
}

const ttl = 60_000

/**
 * Registers the contract tests of state backends: what unique keys, groups, cancellations and status rely on.
 *
 * @example
 * import { test } from 'node:test'
 * stateContract({ test, name: 'MyState', make: () => new MyState() })
 */
export function stateContract({ test, name, make, another }: StateContractOptions): void {
  const ask = (title: string, answer: (t: ContractTest, state: StateBackend) => Promise<void>): void => {
    ContractTest.register(test, `${name}: ${title}`, [], async (t) => {
      const state = await make(t)
      t.teardown(() => state.close())
      await answer(t, state)
    })
  }
  const openAnother = async (t: ContractTest, state: StateBackend): Promise<StateBackend> => {
    if (!another) return state
    const second = await another(state)
    t.teardown(() => second.close())
    return second
  }
  const set = (key: string, value: string | null, expected?: string | null): StateChange => {
    return { kind: 'set', key, value, expected, ttl }
  }

  ask('a value is read until it is deleted', async (t, state) => {
    t.same(await state.read(['a', 'b']), [undefined, undefined])
    t.equal(await state.apply([set('a', 'one'), set('b', '')]), undefined)
    t.same(await state.read(['b', 'a', 'c']), ['', 'one', undefined])
    await state.apply([set('a', null)])
    t.same(await state.read(['a', 'b']), [undefined, ''])
    t.same(await state.read([]), [])
  })

  ask('a value is set only if it is what was expected', async (t, state) => {
    t.equal(await state.apply([set('key', 'one', null)]), undefined, 'none was expected')
    const refusal = { index: 0, value: 'one', size: 0, isMember: false }
    t.same(await state.apply([set('key', 'two', null)]), refusal)
    t.same(await state.apply([set('key', 'two', 'zero')]), refusal)
    t.same(await state.apply([set('other', 'x', 'y')]), { ...refusal, value: undefined })
    t.equal(await state.apply([set('key', 'two', 'one')]), undefined)
    t.same(await state.apply([set('key', null, 'one')]), { ...refusal, value: 'two' })
    t.equal(await state.apply([set('key', null, 'two')]), undefined)
    t.same(await state.read(['key']), [undefined])
  })

  ask('values are any text', async (t, state) => {
    const value = `{"text":"ü 漢 \\u0000 😀 =-"}`
    await state.apply([set('unique:ü/漢 😀', value)])
    t.same(await state.read(['unique:ü/漢 😀']), [value])
    t.equal(await state.apply([set('unique:ü/漢 😀', '-', value)]), undefined)
    t.equal((await state.apply([set('unique:ü/漢 😀', 'x', null)]))?.value, '-')
  })

  ask('a set has each member once', async (t, state) => {
    const add = (member: string): StateChange => ({ kind: 'add', key: 'set', member, ttl })
    t.equal(await state.size('set'), 0)
    t.same(await state.readSet('set'), [])
    await state.apply([add('a')])
    await state.apply([add('b')])
    t.equal(await state.apply([add('a')]), undefined, 'adding it again does nothing')
    t.equal(await state.size('set'), 2)
    t.same([...(await state.readSet('set'))].sort(), ['a', 'b'])
    t.same(await state.readSet('set', ['b', 'c']), ['b'])
    t.same(await state.readSet('set', []), [])
    t.same(await state.apply([{ kind: 'add', key: 'set', member: 'a', once: true, ttl }]), {
      index: 0,
      value: undefined,
      size: 2,
      isMember: true,
    })
    await state.apply([{ kind: 'remove', key: 'set', member: 'a' }])
    await state.apply([{ kind: 'remove', key: 'set', member: 'a' }])
    t.same(await state.readSet('set'), ['b'])
    await state.apply([{ kind: 'remove', key: 'set', member: 'b' }])
    t.equal(await state.size('set'), 0)
  })

  ask('one step adds and removes several members of a set', async (t, state) => {
    await state.apply([{ kind: 'add', key: 'set', member: 'old', ttl }])
    const members = Array.from({ length: 300 }, (_, index) => `${index}`)
    const changes = members.map((member): StateChange => ({ kind: 'add', key: 'set', member, ttl }))
    t.equal(await state.apply([...changes, { kind: 'remove', key: 'set', member: 'old' }]), undefined)
    t.same([...(await state.readSet('set'))].sort(), members.sort())
    t.equal(await state.size('set'), 300)
  })

  ask('a set stays below a size', async (t, state) => {
    const add = (member: string): StateChange => ({ kind: 'add', key: 'set', member, below: 3, once: true, ttl })
    t.equal(await state.apply([add('a')]), undefined)
    t.equal(await state.apply([add('b')]), undefined)
    t.same(await state.apply([add('c')]), { index: 0, value: undefined, size: 2, isMember: false })
    t.same(await state.apply([add('b')]), { index: 0, value: undefined, size: 2, isMember: true })
    t.same([...(await state.readSet('set'))].sort(), ['a', 'b'])
  })

  ask('a counter stays within its bounds', async (t, state) => {
    const count = (by: number): StateChange => ({ kind: 'count', key: 'counter', by, least: 0, most: 3, ttl })
    t.equal(await state.apply([count(2)]), undefined)
    t.same(await state.read(['counter']), ['2'])
    t.same(await state.apply([count(2)]), { index: 0, value: '2', size: 0, isMember: false })
    t.equal((await state.apply([count(-3)]))?.value, '2')
    t.equal(await state.apply([count(1)]), undefined)
    t.equal(await state.apply([count(-3)]), undefined)
    t.same(await state.read(['counter']), ['0'])
    await state.apply([{ kind: 'count', key: 'large', by: 9_000_000_000_000, ttl }])
    await state.apply([{ kind: 'count', key: 'large', by: 1, ttl }])
    t.same(await state.read(['large']), ['9000000000001'])
  })

  ask('a step makes all its changes or none', async (t, state) => {
    await state.apply([set('lock', 'mine')])
    const changes: StateChange[] = [
      set('value', 'new'),
      { kind: 'add', key: 'set', member: 'a', ttl },
      { kind: 'count', key: 'counter', by: 1, ttl },
      set('lock', 'yours', null),
    ]
    t.equal((await state.apply(changes))?.index, 3)
    t.same(await state.read(['value', 'counter', 'lock']), [undefined, undefined, 'mine'])
    t.equal(await state.size('set'), 0)
    t.equal(await state.apply([...changes.slice(0, 3), set('lock', 'yours', 'mine')]), undefined)
    t.same(await state.read(['value', 'counter', 'lock']), ['new', '1', 'yours'])
    t.equal(await state.size('set'), 1)
    t.equal(await state.apply([]), undefined)
  })

  ask('what has expired is absent', async (t, state) => {
    const short = 50
    await state.apply([
      { kind: 'set', key: 'value', value: 'x', ttl: short, listed: true },
      { kind: 'add', key: 'set', member: 'a', ttl: short },
      { kind: 'count', key: 'counter', by: 5, ttl: short },
      { kind: 'set', key: 'kept', value: 'x' },
    ])
    await until(async () => (await state.read(['value']))[0] === undefined, 'it has expired')
    await until(async () => (await state.size('set')) === 0, 'the set has expired')
    await until(async () => (await state.read(['counter']))[0] === undefined, 'the counter has expired')
    t.same(await state.readSet('set'), [])
    t.same(await state.readSet('set', ['a']), [])
    t.same((await state.list('')).entries, [])
    t.same(await state.read(['kept']), ['x'])
    await state.apply([{ kind: 'add', key: 'set', member: 'b', once: true, ttl }])
    t.same(await state.readSet('set'), ['b'], 'an expired member does not come back')
    await state.apply([{ kind: 'count', key: 'counter', by: 1, ttl }])
    t.same(await state.read(['counter']), ['1'])
  })

  ask('the listed keys are found by their prefix, a page at a time', async (t, state) => {
    for (let index = 0; index < 25; index++) {
      await state.apply([{ kind: 'set', key: `job:${index}`, value: `${index}`, listed: true, ttl }])
    }
    await state.apply([
      { kind: 'set', key: 'job:unlisted', value: 'x', ttl },
      { kind: 'set', key: 'jobs', value: 'x', listed: true, ttl },
      { kind: 'set', key: 'a', value: 'x', listed: true, ttl },
      { kind: 'count', key: 'metric:1', by: 3, listed: true, ttl },
    ])
    await state.apply([{ kind: 'set', key: 'job:7', value: null, listed: true }])
    const found: string[] = []
    let pages = 0
    for (let cursor: string | undefined, more = true; more; pages++) {
      const page = await state.list('job:', { limit: 10, cursor })
      for (const { key, value } of page.entries) found.push(`${key}=${value}`)
      cursor = page.cursor
      more = cursor !== undefined
    }
    const wanted = Array.from({ length: 25 }, (_, index) => `job:${index}=${index}`).filter((one) => one !== 'job:7=7')
    t.same(found.sort(), wanted.sort())
    t.ok(pages >= 3, 'in pages')
    t.same((await state.list('metric:')).entries, [{ key: 'metric:1', value: '3' }])
    t.same((await state.list('none:')).entries, [])
  })

  ask('of many that add to a set at once, exactly one completes it', async (t, state) => {
    const size = 40
    const states = [state, await openAnother(t, state)]
    const refused = await Promise.all(
      Array.from({ length: size }, (_, index) =>
        states[index % 2]?.apply([{ kind: 'add', key: 'set', member: `${index}`, once: true, below: size, ttl }]),
      ),
    )
    t.equal(refused.filter((refusal) => refusal !== undefined).length, 1)
    t.equal(await state.size('set'), size - 1)
  })

  ask('a watch is called when it has begun, and after changes until it ends', async (t, state) => {
    const other = await openAnother(t, state)
    let calls = 0
    const stop = state.watch('key', () => calls++)
    await until(() => calls > 0, 'it has begun')
    let before = calls
    await other.apply([{ kind: 'set', key: 'key', value: 'one', notify: true, ttl }])
    await until(() => calls > before, 'it was called')
    before = calls
    await state.apply([{ kind: 'set', key: 'key', value: null, notify: true }])
    await until(() => calls > before, 'it was called for its own change')
    let others = 0
    const stopOther = state.watch('key', () => others++)
    await until(() => others > 0, 'the other watch has begun')
    stop()
    stop()
    before = calls
    const otherBefore = others
    await other.apply([{ kind: 'set', key: 'key', value: 'two', notify: true, ttl }])
    await until(() => others > otherBefore, 'the other watch was called')
    t.equal(calls, before, 'an ended watch is not called')
    stopOther()
  })

  ask('close() calls the listeners of watches a last time, and nothing can be read then', async (t, state) => {
    let calls = 0
    state.watch('key', () => calls++)
    await until(() => calls > 0, 'it has begun')
    const before = calls
    await state.close()
    t.equal(calls, before + 1)
    const closed = { name: 'BrokerClosed' }
    await t.rejects(state.read(['key']), closed)
    await t.rejects(state.size('key'), closed)
    await t.rejects(state.apply([set('key', 'one')]), closed)
  })

  ask('a watch of a set is called when members come and go', async (t, state) => {
    let calls = 0
    const stop = state.watch('set', () => calls++)
    t.teardown(stop)
    await until(() => calls > 0, 'it has begun')
    for (const change of ['add', 'remove'] as const) {
      const before = calls
      await state.apply([{ kind: change, key: 'set', member: 'a', notify: true, ttl } as StateChange])
      await until(() => calls > before, `it was called after ${change}`)
    }
  })

  ask('hundreds of watches are served', async (t, state) => {
    const other = await openAnother(t, state)
    const seen = new Set<number>()
    let begun = 0
    const stops = Array.from({ length: 300 }, (_, index) => {
      let first = true
      return state.watch(`key:${index}`, () => {
        if (first) begun++
        else seen.add(index)
        first = false
      })
    })
    await until(() => begun === 300, 'all have begun')
    const changes = Array.from({ length: 300 }, (_, index): StateChange => {
      return { kind: 'set', key: `key:${index}`, value: 'x', notify: true, ttl }
    })
    await other.apply(changes)
    await until(() => seen.size === 300, 'all were called')
    for (const stop of stops) stop()
    t.equal(begun, 300)
  })
}
