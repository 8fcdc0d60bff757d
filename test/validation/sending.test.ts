/** Arguments of actors with a `schema`, when they are sent. */
import t from 'tap'
import { InvalidArguments, NotSerializable, remoteActor, type StandardSchemaV1 } from '../../lib/index.js'
import { stage } from '../support/memory.js'
import { address, schemaOf } from '../support/schemas.js'

const number = schemaOf<number>((value) => (typeof value === 'number' ? { value } : 'expected a number'))
const perhaps = schemaOf<number | undefined>((value) => (value === undefined ? { value } : 'expected nothing'))
// biome-ignore lint/suspicious/noExplicitAny: what the compiler refuses
const anything = (value: unknown): any => value

t.test('what the schema refuses is not sent, and the error names the actor and the value', async (t) => {
  const { broker, actor } = stage(t)
  const invite = actor((_to: string) => {}, { actorName: 'invite', schema: address })
  const sends = {
    send: () => invite.send('ada'),
    sendWithOptions: () => invite.sendWithOptions({ args: ['ada'] }),
    sendMany: () => invite.sendMany([['ada@example.com'], ['ada']]),
    enqueue: () => broker.enqueue(invite.message('ada')),
    enqueueMany: () => broker.enqueueMany([invite.message('ada@example.com'), invite.message('ada')]),
    'a changed copy': () => broker.enqueue(invite.message('ada@example.com').with({ args: ['ada'] })),
  }
  for (const [how, send] of Object.entries(sends)) {
    const error = await send().then(
      () => t.fail(`${how} refuses it`),
      (reason) => reason,
    )
    t.ok(error instanceof InvalidArguments, how)
    t.match(error, {
      message: `The actor "invite" can't take ${/Many/.test(how) ? 'the arguments at index 1' : 'these arguments'}. args[0]: expected an e-mail address`,
      index: /Many/.test(how) ? 1 : undefined,
      actorName: 'invite',
      issues: [{ message: 'expected an e-mail address', path: [0] }],
    })
  }
  t.match(await broker.stats('default'), { ready: 0, delayed: 0 }, 'nothing is stored')
})

t.test('what is stored is what was sent, and not what the schema makes of it', async (t) => {
  const { actor } = stage(t)
  const invite = actor((_to: string) => {}, { actorName: 'invite', schema: address })
  const message = await invite.send('ada@example.com')
  t.same(message.args, ['ada@example.com'])
})

t.test('an array has one schema for each argument', async (t) => {
  const { actor } = stage(t)
  const add = actor((_a: number, _b: number, _c?: number) => {}, {
    actorName: 'add',
    schema: [number, number, perhaps],
  })
  await add.send(1, 2)
  await add.sendWithOptions({ args: [1, 2, undefined] })
  await t.rejects(add.send(1, anything('2')), { message: /args\[1\]: expected a number$/ })
  await t.rejects(anything(add).send('1'), {
    message: /args\[0\]: expected a number; args\[1\]: expected a number$/,
  })
  await t.rejects(anything(add).send(1, 2, undefined, 4), NotSerializable, 'JSON comes first')
  await t.rejects(anything(add).send(1, 2, 3, 4), { message: /args: expected 3 at most, got 4$/ })

  const none = actor(() => {}, { actorName: 'none', schema: [] })
  await none.send()
  await t.rejects(anything(none).send(1), { message: /args: expected 0 at most, got 1$/ })

  const one = actor((_to: string) => {}, { actorName: 'one', schema: address })
  await t.rejects(anything(one).send('ada@example.com', 1), {
    message: /args: expected 1 at most, got 2; for more, give an array with one schema for each argument$/,
  })
})

t.test("Python's keyword arguments are one object after the others", async (t) => {
  const { actor } = stage(t)
  const options = schemaOf<{ to: string }>((value) =>
    anything(value)?.to ? { value: anything(value) } : 'expected "to"',
  )
  const invite = actor((_options: { to: string }) => {}, { actorName: 'invite', schema: options })
  await invite.sendWithOptions({ args: anything([]), kwargs: { to: 'ada' } })
  await t.rejects(invite.sendWithOptions({ args: anything([]), kwargs: { who: 'ada' } }), {
    message: /args\[0\]: expected "to"$/,
  })
})

t.test('an async schema is awaited', async (t) => {
  const { broker, actor } = stage(t)
  const free = schemaOf<string>(async (value) => {
    await new Promise(setImmediate)
    return value === 'ada' ? 'expected a name that is free' : { value: anything(value) }
  })
  const register = actor((_name: string) => {}, { actorName: 'register', schema: free })
  await register.send('grace')
  await t.rejects(register.send('ada'), InvalidArguments)
  await t.rejects(register.sendMany([['alan'], ['ada'], ['edsger']]), { name: 'InvalidArguments', index: 1 })
  t.equal((await broker.stats('default')).ready, 1)
})

t.test('what a schema throws is passed on, also beside another that is async', async (t) => {
  const { actor } = stage(t)
  const late = schemaOf<string>(async () => Promise.reject(new TypeError('no database')))
  const broken = schemaOf<string>(() => {
    throw new RangeError('no regular expression')
  })
  const one = actor((_a: string) => {}, { actorName: 'one', schema: broken })
  const two = actor((_a: string, _b: string) => {}, { actorName: 'two', schema: [late, broken] })
  await t.rejects(one.send('a'), RangeError)
  await t.rejects(two.send('a', 'b'), RangeError)
})

t.test('issues have paths as in code, and only the first five are in the message', async (t) => {
  const { actor } = stage(t)
  const keys = Array.from({ length: 7 }, (_, index) => ({
    message: 'expected less',
    path: ['rows', index, { key: 'a b' }],
  }))
  const refusing: StandardSchemaV1<object> = {
    '~standard': { version: 1, vendor: 'by hand', validate: () => ({ issues: keys }) },
  }
  const load = actor((_table: object) => {}, { actorName: 'load', schema: refusing })
  const error = await load.send({}).catch((reason) => reason)
  t.match(error.message, /args\[0\]\.rows\[0\]\["a b"\]: expected less; .*rows\[4\].*; and 2 more$/)
  t.notMatch(error.message, /rows\[5\]/)
  t.same(error.issues.at(-1), { message: 'expected less', path: [0, 'rows', 6, 'a b'] })
})

t.test('a direct call receives its arguments as they are', async (t) => {
  const { actor } = stage(t)
  const invite = actor((to: string) => to, { actorName: 'invite', schema: address })
  t.equal(invite('ada'), 'ada')
})

t.test('a remote actor validates what it sends, and states the version', async (t) => {
  const { broker } = stage(t)
  const invite = remoteActor('invite', { broker, schema: address, version: 3 })
  t.match(await invite.send('ada@example.com'), { args: ['ada@example.com'], options: { version: 3 } })
  await t.rejects(invite.send('ada'), InvalidArguments)
})

t.test('a schema, a version and a migration that can not be used are refused at declaration', async (t) => {
  const { actor } = stage(t)
  const cases: readonly [object, string][] = [
    [{ schema: {} }, 'schema'],
    [{ schema: null }, 'schema'],
    [{ schema: [address, 'string'] }, 'schema'],
    [{ version: 0 }, 'version'],
    [{ version: '2' }, 'version'],
    [{ version: 1, migrate: [] }, 'migrate'],
    [{ migrate: () => [] }, 'version'],
  ]
  for (const [options, option] of cases) {
    t.throws(() => actor(() => {}, { actorName: 'refused', ...anything(options) }), { name: 'InvalidOption', option })
  }
})
