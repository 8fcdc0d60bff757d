/**
 * Every public function with arguments that are nearly right: a string for a list, an empty list, an object of another
 * class, a number in a string, `null`. Each error states what was expected and what was passed, and nothing is stored.
 */
import t, { type Test } from 'tap'
import { MemoryBroker, MemoryResults } from '../../brokers/memory/index.js'
import {
  actor,
  interrupt,
  JSONEncoder,
  Message,
  remoteActor,
  Shutdown,
  setBroker,
  setEncoder,
  setLogger,
  Worker,
} from '../../lib/index.js'
import { Retries } from '../../middleware/index.js'
import { captureLog } from '../support/log.js'
import { type Case, notAnObject, refuses as refusesAll } from '../support/refuses.js'

captureLog()

const broker = new MemoryBroker()
setBroker(broker)
const add = actor(function add(a: number, b: number) {
  return a + b
})
const message = add.message(1, 2)
async function refuses(t: Test, call: Parameters<typeof refusesAll>[1], cases: readonly Case[]): Promise<void> {
  await refusesAll(t, call, cases)
  t.match(await broker.stats('default'), { ready: 0, delayed: 0 }, 'nothing was stored')
}

t.test('sendMany', async (t) => {
  await refuses(t, (value) => add.sendMany(value), [
    ['abc', /^Expected "argLists" to be an array of lists of arguments, as in \[\[1, 2\], \[3, 4\]\]; got "abc"\.$/],
    [null, /"argLists" to be an array.*got null/],
    [{}, /"argLists" to be an array.*got an object/],
    [[1, 2], /^Expected "argLists\[0\]" to be an array of arguments, as in \[1, 2\]; got 1\.$/],
    [[[1, 2], 'b'], /^Expected "argLists\[1\]" to be an array of arguments.*got "b"/],
  ])
  await refuses(t, (value) => add.sendMany([[1, 2]], value), [
    [null, /^Expected "options" to be an object, such as .*got null/],
    [5, /got 5\.$/],
    ['5s', /got "5s"/],
    [{ args: [1] }, /^Expected no "args" among the options of sendMany/],
    [{ dealy: 5 }, /Unknown option "dealy"/],
  ])
})

t.test('sendWithOptions', async (t) => {
  await refuses(t, (value) => add.sendWithOptions(value), [
    [null, /^Expected "options" to be an object, such as { args: \[1, 2\], delay: '5m' }; got null\.$/],
    [[1, 2], /"options" to be an object.*got an array of 2/],
    [5, /"options" to be an object.*got 5/],
    [{ args: 'ab' }, /^Expected "args" to be an array, as in { args: \[1, 2\] }; got "ab"\.$/],
    [{ args: null }, /"args" to be an array.*got null/],
    [{ args: [1, 2], delay: null }, /^Expected "delay" to be a duration.*got null/],
    [{ args: [1, 2], delay: new Date() }, /"delay" to be a duration.*got an object \(Date\)/],
    [{ args: [1, 2], priority: '5' }, /^Expected "priority" to be a whole number from 0 to 9; got "5"\.$/],
    [{ args: [1, 2], maxRetries: '3' }, /^Expected "maxRetries" to be a whole number from 0 up; got "3"\.$/],
    [{ args: [1, 2], kwargs: null }, /^Expected "kwargs" to be an object.*got null/],
    [{ args: [1, 2], kwargs: [] }, /"kwargs" to be an object.*got an array of 0/],
    [{ args: [1, 2], kwargs: new Map() }, /^kwargs is a Map/],
    [{ args: [1, 2], options: null }, /^Expected "options" to be an object.*got null/],
  ])
})

t.test('actor and remoteActor', async (t) => {
  const options: Case[] = [
    ...notAnObject('an actor'),
    [{ broker: {} }, /^Expected "broker" to be a broker, such as new RedisBroker\(.*got an object \(Object\)\.$/],
    [{ broker: null }, /"broker" to be a broker.*got null/],
    [{ broker: MemoryBroker }, /"broker" to be a broker.*got a function \(MemoryBroker\)/],
    [{ actorName: 5 }, /^Expected an actor name: .*got 5\./],
    [{ queueName: null }, /^Expected a queue name: .*got null\.$/],
    [{ queueName: '' }, /^Expected a queue name: .*got ""\.$/],
    [{ throws: new Error('x') }, /^Expected "throws" to be .*got an object \(Error\)/],
    [{ storeResults: 'true' }, /^Expected "storeResults" to be true or false; got "true"/],
    [{ onSuccess: () => {} }, /^Expected "onSuccess" to be an actor or the name of one; got a function/],
    [{ retryWhen: 'x' }, /^Expected "retryWhen" to be a function; got "x"/],
  ]
  await refuses(t, (value) => actor(function refused() {}, value), options)
  await refuses(t, (value) => remoteActor(value), [
    ['', /^Expected an actor name: .*got ""\./],
    [null, /^Expected an actor name: .*got null\./],
    [add, /^Expected an actor name: .*got a function \(add\)\./],
  ])
  await refuses(t, (value) => remoteActor('a', value), [
    ...notAnObject('a remote actor'),
    [{ broker: {} }, /"broker" to be a broker.*got an object/],
  ])
})

t.test('setBroker, setLogger, setEncoder', async (t) => {
  await refuses(t, setBroker, [
    [null, /^Expected "broker" to be a broker, such as .*got null/],
    [undefined, /got undefined/],
    [MemoryBroker, /got a function \(MemoryBroker\)/],
    ['redis://localhost', /got "redis:\/\/localhost"/],
    [Promise.resolve(broker), /got an object \(Promise\)/],
  ])
  await refuses(t, setLogger, [
    [null, /^Expected "logger" to be a logger such as pino's; got null, which has no debug, info, warn, error\.$/],
    [console.log, /got a function \(log\), which has no debug, info, warn, error/],
    [{ debug() {}, info() {}, error() {} }, /got an object \(Object\), which has no warn\.$/],
  ])
  await refuses(t, setEncoder, [
    [null, /^Expected "encoder" to be an encoder; got null/],
    [JSONEncoder, /got a function \(JSONEncoder\), which is a class: give an instance of it/],
  ])
})

t.test('use', async (t) => {
  await refuses(t, (value) => broker.use(value), [
    [null, /^Expected a plugin, an object with hooks such as { beforeEnqueue\(message\) {} }; got null/],
    ['Retries', /got "Retries"/],
    [[new Retries()], /got an array of 1/],
    [Retries, /got a function \(Retries\)\. If it is a class, pass an instance: use\(new Retries\(\)\)\.$/],
    [new MemoryResults(), /^Expected a plugin with at least one hook.*got an object \(MemoryResults\), which has none/],
    [{ beforeAck: 'now' }, /^Expected "beforeAck" to be a function; got "now"/],
    [{ beforeAck() {}, essential: 'yes' }, /^Expected "essential" to be true or false; got "yes"/],
    [{ beforeEnqueu() {} }, /^There is no hook "beforeEnqueu", did you mean "beforeEnqueue"\?/],
  ])
  await refuses(t, (value) => broker.use({ beforeAck() {} }, value), [
    ...notAnObject('use\\(\\)'),
    [{ before: new Retries() }, /^Expected "before" to be the class of a plugin; got an object \(Retries\)/],
    [{ after: 'Retries' }, /^Expected "after" to be the class of a plugin; got "Retries"/],
    [{ befor: Retries }, /^Unknown option "befor", did you mean "before"\?/],
    [{ before: Retries, after: Retries }, /^Expected "before" or "after"; got both/],
  ])
  const own = { beforeCommit() {}, afterAll() {}, beforeAck() {} }
  t.equal(new MemoryBroker().use(own).middleware.at(-1), own, 'additional methods are allowed')
})

t.test('methods of a broker', async (t) => {
  const fields = { queueName: 'default', actorName: 'add', args: [] }
  const noMessage = /^Expected a Message; got .*Make one with actor\.message\(…\) or new Message\({ … }\)\.$/
  await refuses(
    t,
    (value) => broker.enqueue(value),
    [null, fields, [message], add].map((value) => [value, noMessage]),
  )
  await refuses(t, (value) => broker.enqueue(new Message({ ...fields, args: [value] })), [
    [new Date(), /^args\[0\] is a Date, which would arrive as something else/],
    [new Error('no'), /^args\[0\] is an Error, which would arrive/],
    [{ toJSON: () => 1 }, /^args\[0\] is an object with a toJSON\(\) method, which would arrive/],
    [1n, /^args\[0\] is 1n/],
  ])
  const delays: Case[] = [
    [null, /to be an object, .*got null/],
    [5000, /to be an object, .*got 5000/],
    [{ delay: null }, /^Expected "delay" to be a duration/],
    [{ dely: 5 }, /^Unknown option "dely", did you mean "delay"\?/],
  ]
  await refuses(t, (value) => broker.enqueue(message, value), delays)
  await refuses(t, (value) => broker.enqueueMany([message], value), delays)
  await refuses(t, (value) => broker.enqueueMany(value), [
    ['x', /^Expected "messages" to be an array of messages; got "x"/],
    [message, /to be an array of messages; got an object \(Message\)/],
    [new Set([message]), /to be an array of messages; got an object \(Set\)/],
    [[message, null], noMessage],
  ])
  const names: Case[] = [undefined, null, '', 5, add, ['default']].map((name) => [
    name,
    /^Expected a queue name: .*got /,
  ])
  for (const method of ['flush', 'stats', 'join', 'deadLetters', 'consume', 'declareQueue'] as const) {
    await refuses(t, (value) => broker[method](value), names)
  }
  await refuses(t, (value) => broker.join('default', value), [
    ...notAnObject('join\\(\\)'),
    [{ timeout: null }, /^Expected "timeout" to be a duration/],
  ])
  await refuses(t, (value) => broker.deadLetters('default', value), [
    ...notAnObject('deadLetters\\(\\)'),
    [{ limit: '10' }, /^Expected "limit" to be a whole number from 0 up; got "10"/],
  ])
  for (const method of ['check', 'close'] as const) {
    await refuses(t, (value) => broker[method](value), [
      ...notAnObject(`${method}\\(\\)`),
      [{ timeout: null }, /^Expected "timeout" to be a duration/],
      [{ timeOut: '5s' }, /^Unknown option "timeOut", did you mean "timeout"\?/],
    ])
  }
  await refuses(t, (value) => broker.consume('default', value), [
    ...notAnObject('consume\\(\\)'),
    [{ prefetch: '5' }, /^Expected "prefetch" to be a whole number.*got "5"/],
    [{ prefetch: 0 }, /^Expected "prefetch" to be a whole number from 1 up; got 0/],
  ])
  await refuses(t, (value) => broker.requeueDeadLetter(value), [[{ id: 'x' }, /^Expected "id" to be the id of a dead/]])
  await refuses(t, (value) => broker.declareActor(value), [
    [null, /^Expected "actor" to be an actor, as actor\(\) makes it; got null/],
    [() => {}, /to be an actor, as actor\(\) makes it; got a function/],
  ])
  await refuses(t, (value) => broker.getActor(value), [[add, /^Expected an actor name: .*got a function/]])
  await refuses(t, (value) => broker.advance(value), [[undefined, /^Expected "duration" to be a duration/]])
})

t.test('messages', async (t) => {
  const fields = { queueName: 'default', actorName: 'add', args: [] }
  await refuses(t, (value) => new Message(value), [
    [null, /^Expected "fields" to be the fields of a message; got null/],
    [{ queueName: 'a', actorName: 'b' }, /^Expected "args" to be an array of arguments; got undefined/],
    [{ ...fields, args: 'abc' }, /"args" to be an array of arguments; got "abc"/],
    [{ ...fields, queueName: null }, /^Expected "queueName" to be a text; got null/],
    [{ ...fields, actorName: add }, /^Expected "actorName" to be a text; got a function/],
    [{ ...fields, kwargs: [] }, /^Expected "kwargs" to be an object; got an array of 0/],
    [{ ...fields, options: 'x' }, /^Expected "options" to be an object; got "x"/],
    [{ ...fields, messageId: 5 }, /^Expected "messageId" to be a text; got 5/],
    [
      { ...fields, messageTimestamp: new Date() },
      /^Expected "messageTimestamp" to be milliseconds.*got an object \(Date\)/,
    ],
  ])
  await refuses(t, (value) => message.with(value), [
    ...notAnObject('with\\(\\)'),
    [{ arg: [] }, /^Unknown option "arg", did you mean "args"\?/],
    [{ args: 'ab' }, /"args" to be an array of arguments; got "ab"/],
  ])
  await refuses(t, (value) => message.result(value), [
    ...notAnObject('result\\(\\)'),
    [{ timeout: null }, /^Expected "timeout" to be a duration.*got null/],
    [{ timeoutMs: 5 }, /^Unknown option "timeoutMs", did you mean "timeout"\?/],
  ])
  await refuses(t, (value) => Message.decode(value), [[null, /^The body is not a message/]])
  await refuses(t, (value) => interrupt(value, new Shutdown()), [['id', /^Expected a Message; got "id"/]])
  await refuses(t, (value) => interrupt(message, value), [
    [new Error('x'), /^Expected "error" to be an Interrupt, such as new Shutdown\(\); got an object \(Error\)/],
    [undefined, /got undefined/],
  ])
  await refuses(t, (value) => interrupt(message, new Shutdown(), value), [
    ...notAnObject('interrupt\\(\\)'),
    [{ grace: null }, /^Expected "grace" to be a duration/],
  ])
})

t.test('workers', async (t) => {
  await refuses(t, (value) => new Worker(value), [
    [{ threads: 2 }, /^Expected "broker" to be a broker, such as .*got an object \(Object\)/],
    [undefined, /"broker" to be a broker.*got undefined/],
    [MemoryBroker, /"broker" to be a broker.*got a function/],
  ])
  await refuses(t, (value) => new Worker(broker, value), [
    ...notAnObject('a worker'),
    [{ threads: '2' }, /^Expected "threads" to be a whole number from 0 up; got "2"/],
    [{ threads: 0, concurrency: '8' }, /^Expected "concurrency" to be a whole number.*got "8"/],
    [{ threads: 0, concurrency: 0 }, /^Expected "concurrency" to be a whole number from 1 up; got 0/],
    [{ threads: 0, prefetch: null }, /^Expected "prefetch" to be a whole number from 1 up; got null/],
    [{ threads: 0, maxMemory: '512' }, /^Expected "maxMemory" to be a whole number from 1 up; got "512"/],
    [{ threads: 0, shutdownTimeout: null }, /^Expected "shutdownTimeout" to be a duration.*got null/],
    [{ threads: 0, queues: 'default' }, /^Expected "queues" to be an array of at least one queue.*got "default"/],
    [{ threads: 0, queues: [] }, /"queues" to be an array of at least one queue.*got an array of 0/],
    [{ threads: 0, queues: new Set(['a']) }, /"queues" to be an array.*got an object \(Set\)/],
    [{ threads: 0, queues: [5] }, /^Expected a queue name: .*got 5/],
    [{ threads: 0, modules: './x.js' }, /^Expected "modules" to be an array of at least one module.*got "\.\/x\.js"/],
    [{ threads: 0, modules: [] }, /"modules" to be an array of at least one module.*got an array of 0/],
    [{ threads: 0, resourceLimits: 512 }, /^Expected the options of "resourceLimits" to be an object.*got 512/],
    [
      { threads: 0, resourceLimits: { stackSizeMb: '4' } },
      /^Expected "stackSizeMb" to be megabytes, a number; got "4"/,
    ],
    [{ threads: 0, resourceLimits: { maxHeap: 4 } }, /^Unknown option "maxHeap"/],
  ])
  const worker = new Worker(broker, { threads: 0 })
  await refuses(t, (value) => worker.join(value), notAnObject('join\\(\\)'))
  await refuses(t, (value) => worker.stop(value), [
    ...notAnObject('stop\\(\\)'),
    [{ timeout: null }, /^Expected "timeout" to be a duration/],
  ])
})
