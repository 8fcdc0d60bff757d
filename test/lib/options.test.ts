import '../../middleware/retries.js'
import t from 'tap'
import { nearest, refuseUnknown } from '../../lib/checks.js'
import { InvalidOption } from '../../lib/errors.js'
import { Message } from '../../lib/message.js'
import {
  actorReference,
  callback,
  count,
  declareOptions,
  duration,
  effective,
  flag,
  nullable,
  readActorOptions,
  readMessageOptions,
} from '../../lib/options.js'

// As a middleware does; the names are unlike any real option.
declareOptions({
  flavourLimit: { wire: 'flavour_limit', read: nullable(count) },
  flavourDelay: { wire: 'flavour_delay', read: duration },
  flavourWhen: { read: callback },
})

t.test('the error for an unknown option names the nearest known one, and where it was set', async (t) => {
  const cases: [object, RegExp][] = [
    [{ flavourLimt: 1 }, /Unknown option "flavourLimt", did you mean "flavourLimit"\? \(on actor "add"\)/],
    [{ flavour_limit: 1 }, /did you mean "flavourLimit"/],
    [{ FlavourDelay: 1 }, /did you mean "flavourDelay"/],
    [{ prioritty: 1 }, /did you mean "priority"/],
  ]
  for (const [options, message] of cases) {
    t.throws(() => readActorOptions(options, 'actor "add"'), { constructor: InvalidOption, message })
  }
  t.throws(() => readActorOptions({ zzz: 1 }, 'actor "add"'), {
    message: /Unknown option "zzz" \(on actor "add"\).*plugin/,
  })
  t.throws(() => readActorOptions({ zzz: 1 }, 'x'), { constructor: InvalidOption, message: /"zzz"/ })
  t.throws(() => readActorOptions({ constructor: 1 }, 'x'), InvalidOption)
})

t.test('the nearest name is a plausible one', async (t) => {
  const names = ['maxRetries', 'minBackoff', 'maxBackoff', 'timeLimit']
  t.equal(nearest('maxRetry', names), 'maxRetries')
  t.equal(nearest('max_retries', names), 'maxRetries')
  t.equal(nearest('maxbackof', names), 'maxBackoff')
  t.equal(nearest('timelimit', names), 'timeLimit')
  t.equal(nearest('throws', names), undefined)
  t.equal(nearest('x', []), undefined)
  t.equal(nearest('ttl', ['url', 'redis']), undefined, 'only one of three letters matches')
})

t.test("an actor's options are normalised and frozen", async (t) => {
  const options = readActorOptions({ flavourDelay: '2s', flavourLimit: null, priority: 3, flavourWhen: undefined }, 'x')
  t.same(options, { flavourDelay: 2000, flavourLimit: null, priority: 3 })
  t.ok(Object.isFrozen(options))
})

t.test("a message's options are in wire format", async (t) => {
  const wire = readMessageOptions({ flavourDelay: '2s', flavourLimit: null, priority: 3 }, 'a message')
  t.same(wire, { flavour_delay: 2000, flavour_limit: null, broker_priority: 3 })
  t.throws(() => readMessageOptions({ flavourWhen: () => true }, 'a message'), { message: /belongs on the actor/ })
  t.throws(() => readMessageOptions({ prio: 1 }, 'a message'), InvalidOption)
})

t.test(
  'values of the wrong kind are refused, and the error states what was expected and what was passed',
  async (t) => {
    const cases: [(value: unknown, name: string) => unknown, unknown, RegExp][] = [
      [count, -1, /whole number from 0 up; got -1/],
      [count, 1.5, /got 1\.5/],
      [count, '3', /got "3"/],
      [flag, 'yes', /true or false; got "yes"/],
      [callback, 7, /a function; got 7/],
      [actorReference, {}, /an actor or the name of one; got an object \(Object\)/],
      [actorReference, '', /got ""/],
      [nullable(count), undefined, /got undefined/],
    ]
    for (const [read, value, message] of cases) {
      t.throws(() => read(value, 'thing'), { constructor: InvalidOption, option: 'thing', message })
    }
    for (const priority of [-1, 10, 1.5, '5', null]) {
      t.throws(() => readActorOptions({ priority }, 'x'), { message: /"priority".*0 to 9/ })
    }
    t.equal(actorReference({ actorName: 'add' }, 'onSuccess'), 'add')
    t.equal(nullable(count)(null, 'x'), null)
  },
)

t.test('settings of a constructor are checked the same way', async (t) => {
  refuseUnknown({ threads: 1 }, ['threads', 'queues'], 'a worker')
  t.throws(() => refuseUnknown({ thread: 1 }, ['threads', 'queues'], 'a worker'), {
    constructor: InvalidOption,
    message: 'Unknown option "thread", did you mean "threads"? (on a worker)',
  })
  t.throws(() => refuseUnknown({ zzz: 1 }, ['threads', 'queues'], 'a worker'), {
    message: 'Unknown option "zzz" (on a worker). The options there are: threads, queues.',
  })
})

t.test("the option of the message takes precedence, then the actor's, then the fallback", async (t) => {
  const message = (options: Record<string, unknown>): Message =>
    new Message({ queueName: 'default', actorName: 'add', args: [], options })
  const actor = { options: { maxRetries: 3 } }
  t.equal(effective(message({ max_retries: 1 }), actor, 'maxRetries', 20), 1)
  t.equal(effective<number | null>(message({ max_retries: null }), actor, 'maxRetries', 20), null)
  t.equal(effective(message({}), actor, 'maxRetries', 20), 3)
  t.equal(effective(message({}), { options: {} }, 'maxRetries', 20), 20)
  t.equal(effective(message({}), undefined, 'maxRetries', 20), 20)
})
