/** Constructors with settings that are nearly right: each error states what was expected and what was passed. */
import t from 'tap'
import { MemoryBroker, MemoryRateLimits, MemoryResults } from '../../brokers/memory/index.js'
import { RedisBroker, RedisRateLimits, RedisResults } from '../../brokers/redis/index.js'
import { SQLiteBroker, SQLiteRateLimits, SQLiteResults } from '../../brokers/sqlite/index.js'
import { Barrier, BucketRateLimiter, ConcurrentRateLimiter, WindowRateLimiter } from '../../lib/rate-limits/index.js'
import {
  AgeLimit,
  count,
  declareOptions,
  defaultMiddleware,
  Results,
  Retries,
  ShutdownNotifications,
  TimeLimit,
} from '../../middleware/index.js'
import { type Anything, type Case, notAnObject, refuses } from '../support/refuses.js'

const limits = new MemoryRateLimits()
const broker = new MemoryBroker()

t.test('plugins', async (t) => {
  await refuses(t, (value) => new Retries(value), [
    ...notAnObject('Retries'),
    [3, /to be an object, .*got 3/],
    [{ maxRetries: '3' }, /^Expected "maxRetries" to be a whole number from 0 up; got "3"/],
    [{ maxRetry: 3 }, /^Unknown option "maxRetry", did you mean "maxRetries"\?/],
    [{ minBackoff: null }, /^Expected "minBackoff" to be a duration.*got null/],
    [{ jitter: 'no' }, /^Expected "jitter" to be true or false; got "no"/],
    [{ retryWhen: 3 }, /^Expected "retryWhen" to be a function; got 3/],
  ])
  await refuses(t, (value) => new TimeLimit(value), [
    ...notAnObject('TimeLimit'),
    [{ grace: null }, /^Expected "grace" to be a duration/],
  ])
  await refuses(t, (value) => new AgeLimit(value), [
    ...notAnObject('AgeLimit'),
    [{ maxAge: 'x' }, /^Expected "maxAge" to be a duration.*got "x"/],
  ])
  await refuses(t, (value) => new ShutdownNotifications(value), [
    ...notAnObject('ShutdownNotifications'),
    [true, /to be an object, .*got true/],
    [{ notifyShutdown: 'x' }, /^Expected "notifyShutdown" to be true or false; got "x"/],
  ])
  const backend = new MemoryResults()
  await refuses(t, (value) => new Results(value), [
    [undefined, /^Expected "backend" to be a results backend, as in .*got undefined/],
    [{ backend: null }, /^Expected "backend" to be a results backend.*got /],
    [{ backend: broker }, /got an object \(MemoryBroker\)/],
    [{ backend: MemoryResults }, /got a function \(MemoryResults\)/],
    [backend, /got an object \(MemoryResults\)/],
    [{ backend, storeResults: 'yes' }, /^Expected "storeResults" to be true or false; got "yes"/],
    [{ backend, resultTtl: null }, /^Expected "resultTtl" to be a duration/],
  ])
  await refuses(t, (value) => defaultMiddleware(value), [
    ...notAnObject('defaultMiddleware\\(\\)'),
    [{ result: backend }, /^Unknown option "result", did you mean "results"\?/],
  ])
  await refuses(t, (value) => declareOptions(value), [
    [null, /to be an object, .*got null/],
    [{ strange: { wire: 'strange' } }, /^Expected "strange" to be an option's spec, { wire, read\(value, name\) {} }/],
    [{ strange: count }, /^Expected "strange" to be an option's spec.*got a function \(count\)/],
  ])
})

t.test('limiters and barriers', async (t) => {
  for (const Limiter of [ConcurrentRateLimiter, BucketRateLimiter, WindowRateLimiter, Barrier]) {
    const make: new (...given: Anything[]) => unknown = Limiter
    await refuses(t, (value) => new make(value, 'key'), [
      [null, /^Expected "backend" to be a rate limit backend.*got null/],
      [broker, /^Expected "backend" to be a rate limit backend.*got an object \(MemoryBroker\)/],
      [MemoryRateLimits, /^Expected "backend" to be a rate limit backend.*got a function \(MemoryRateLimits\)/],
    ])
    await refuses(t, (value) => new make(limits, value), [
      [null, /^Expected "key" to be a non-empty string; got null/],
      ['', /got ""/],
    ])
    await refuses(t, (value) => new make(limits, 'key', value), [
      ...notAnObject(`a ${Limiter.name}`),
      [{ limits: 5 }, /^Unknown option "limits"/],
    ])
    if (Limiter === Barrier) continue
    await refuses(t, (value) => new make(limits, 'key', value), [
      [{ limit: '1' }, /^Expected "limit" to be a whole number from 0 up; got "1"/],
      [{ limit: 0 }, /^Expected "limit" to be 1 or more; got 0/],
    ])
  }
  const barrier = new Barrier(limits, 'key')
  await refuses(t, (value) => barrier.create(value), [['3', /^Expected "parties" to be a whole number.*got "3"/]])
  await refuses(t, (value) => barrier.wait(value), [
    ...notAnObject('wait\\(\\)'),
    [{ block: 'no' }, /^Expected "block" to be true or false; got "no"/],
    [{ timeout: null }, /^Expected "timeout" to be a duration/],
  ])
  await refuses(t, (value) => new ConcurrentRateLimiter(limits, 'key').acquire(value), [
    [5, /^Expected "run" to be a function; got 5/],
  ])
})

t.test('brokers', async (t) => {
  const settings: Case[] = [
    [{ middleware: 'x' }, /^Expected "middleware" to be an array of plugins; got "x"/],
    [{ middleware: null }, /^Expected "middleware" to be an array of plugins; got null/],
    [{ middleware: new Retries() }, /^Expected "middleware" to be an array of plugins; got an object \(Retries\)/],
    [{ middleware: [Retries] }, /If it is a class, pass an instance: use\(new Retries\(\)\)/],
    [{ enqueueTimeout: null }, /^Expected "enqueueTimeout" to be a duration/],
    [{ maxMessageSize: '5' }, /^Expected "maxMessageSize" to be a whole number from 0 up; got "5"/],
    [{ deadMessageTtl: {} }, /^Expected "deadMessageTtl" to be a duration/],
    [{ enqueueTimout: 5 }, /^Unknown option "enqueueTimout", did you mean "enqueueTimeout"\?/],
  ]
  await refuses(t, (value) => new MemoryBroker(value), [...notAnObject('a MemoryBroker'), ...settings])
  await refuses(t, (value) => new SQLiteBroker(value), [
    ...notAnObject('SQLiteBroker'),
    ...settings,
    [{ path: 5 }, /^Expected "path" to be the path of a file; got 5/],
    [{ path: null }, /^Expected "path" to be the path of a file; got null/],
    [{ synchronous: 'on' }, /^Expected "synchronous" to be "normal" or "full"; got "on"/],
  ])
  await refuses(t, (value) => new RedisBroker(value), [
    ...notAnObject('RedisBroker'),
    ...settings,
    [{ url: new URL('redis://here') }, /^Expected "url" to be a URL.*got an object/],
    [{ namespace: null }, /^Expected "namespace" to be a non-empty string; got null/],
    [{ heartbeatTimeout: '1' }, /^Expected "heartbeatTimeout" to be 100 ms or more/],
  ])
})

t.test('backends', async (t) => {
  const backends = { MemoryResults, MemoryRateLimits, SQLiteResults, SQLiteRateLimits, RedisResults, RedisRateLimits }
  for (const [name, Backend] of Object.entries(backends)) {
    const make: new (...given: Anything[]) => unknown = Backend
    await refuses(t, (value) => new make(value), [
      [null, /^Expected the options of .* to be an object, .*got null\.$/],
      [['a'], /^Expected the options of .* to be an object, .*got (an array|a list)/],
      ['x', /^Expected the options of .* to be an object, .*got (a text|"x")\.$/],
      [{ strange: 1 }, new RegExp(`^Unknown option "strange" \\(on (a )?${name}\\)`)],
    ])
  }
})
