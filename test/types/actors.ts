/**
 * What is inferred of a user's function, and what is refused. Nothing here runs: it is compiled by `npm run types` and
 * by `test/types.test.ts`.
 */
import { expectTypeOf } from 'expect-type'
import { type Actor, type ActorOptions, actor, type Message, type Runnable } from '../../lib/index.js'

interface Receipt {
  status: 'sent'
  to: string
}

const sendEmail = actor(async function sendEmail(to: string, subject: string): Promise<Receipt> {
  return { status: 'sent', to: `${to} ${subject}` }
})
const add = actor(function add(a: number, b: number) {
  return a + b
})
const tidy = actor(function tidy() {})
const greet = actor(function greet(name: string, greeting?: string) {
  return `${greeting ?? 'Hello'}, ${name}`
})
const sum = actor(function sum(...numbers: number[]) {
  return numbers.reduce((total, one) => total + one, 0)
})
const label = actor(function label(prefix: string, ...rest: readonly (string | number)[]) {
  return [prefix, ...rest].join(' ')
})
const page = actor(function page(limit = 10) {
  return { limit }
})

export async function argumentsAreThoseOfTheFunction(): Promise<void> {
  expectTypeOf(sendEmail).toExtend<Actor<[to: string, subject: string], Receipt>>()
  expectTypeOf(sendEmail.send).parameters.toEqualTypeOf<[to: string, subject: string]>()
  expectTypeOf(add.message(1, 2)).toEqualTypeOf<Message<number, never>>()
  expectTypeOf(add.message(1)).toEqualTypeOf<Message<number, number>>()
  expectTypeOf(tidy.send).parameters.toEqualTypeOf<[]>()
  expectTypeOf(greet.send).parameters.toEqualTypeOf<[name: string, greeting?: string]>()
  expectTypeOf(sum.send).parameters.toEqualTypeOf<number[]>()

  await greet.send('Ada')
  await greet.send('Ada', 'Hi')
  await sum.send()
  await sum.send(1, 2, 3)
  await label.send('a', 1, 'b')
  await page.send()

  // @ts-expect-error should be a string
  await sendEmail.send(1, 'Hi')
  // @ts-expect-error should be two arguments
  await sendEmail.send('a@example.com')
  // @ts-expect-error should be no more than two arguments
  await add.send(1, 2, 3)
  // @ts-expect-error should be no argument at all
  await tidy.send('now')
  // @ts-expect-error should be numbers throughout
  await sum.send(1, '2')
  // @ts-expect-error should be arguments here, too
  add.message()
}

export async function defaultsAndParametersAreInferred(): Promise<void> {
  const resize = actor(async function resize(path: string, width = 800) {
    return { path, width }
  })
  expectTypeOf(resize.send).parameters.toEqualTypeOf<[path: string, width?: number]>()
  await resize.sendWithOptions({ args: ['cat.jpg'] })
  // @ts-expect-error should be a number: that is what its default is
  await resize.send('cat.jpg', '800')
  // @ts-expect-error should be given a type, as any parameter
  actor(function untyped(path) {
    return path
  })
}

enum Colour {
  Red,
  Green,
}
type UserId = string & { readonly __brand: 'user' }
type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }
interface Tree {
  readonly name: string
  readonly parent?: Tree | undefined
  readonly children: Tree[]
}

export async function whateverHasTheShapeOfJSONIsTaken(): Promise<void> {
  actor(function a(_tree: Tree, _json: Json, _colour: Colour, _id: UserId, _optional?: { a?: number }) {})
  actor(function b(_unknown: unknown, _record: Record<string, unknown>, _object: object, _nothing: undefined) {})
  // biome-ignore lint/suspicious/noExplicitAny: any is left to the check at run time
  actor(function c(_any: any, _anys: any[], ..._rest: readonly (readonly [string, number | null])[]) {})
  actor((tree: Tree): Tree => tree, { actorName: 'd', storeResults: true })
  actor(async (): Promise<void> => {}, { actorName: 'e', storeResults: true })
  actor(() => JSON.parse('{}'), { actorName: 'f', storeResults: true })
  // A result that nobody keeps may be anything.
  actor(() => new Date(), { actorName: 'g' })
  actor(async () => new Map([[1, 2]]), { actorName: 'h', storeResults: false })
}

export async function genericFunctionsStayGeneric(): Promise<void> {
  const same = actor(function same<T extends string>(text: T): T {
    return text
  })
  expectTypeOf(same('a')).toEqualTypeOf<'a'>()
  await same.send('a')
  // @ts-expect-error should be a text, as the parameter is declared
  await same.send(1)
}

function parse(text: string): number
function parse(text: string, radix: number): bigint | number
function parse(text: string, radix = 10): bigint | number {
  return Number.parseInt(text, radix)
}

export async function ofOverloadsTheLastOneCounts(): Promise<void> {
  const parsing = actor(parse)
  expectTypeOf(parsing.send).parameters.toEqualTypeOf<[text: string, radix: number]>()
  expectTypeOf(parsing('1')).toEqualTypeOf<number>()
}

export async function whoWrapsActorPassesTheCheckOn(): Promise<void> {
  // biome-ignore lint/complexity/noBannedTypes: as in actor()
  function task<F extends Function>(fn: F & Runnable<F>, options?: ActorOptions) {
    return actor<F>(fn, { queueName: 'tasks', ...options })
  }
  const double = task(async (n: number, times = 2) => n * times, { actorName: 'double' })
  expectTypeOf(double.send).parameters.toEqualTypeOf<[n: number, times?: number]>()
  expectTypeOf(await (await double.send(1)).result()).toEqualTypeOf<number>()
  // @ts-expect-error should be JSON, here as well
  task((when: Date) => when.getTime(), { actorName: 'when' })
}

export async function resultsAreWhatTheFunctionReturns(): Promise<void> {
  expectTypeOf(await sendEmail.send('a@example.com', 'Hi')).toEqualTypeOf<Message<Receipt>>()
  expectTypeOf(await (await sendEmail.send('a', 'b')).result()).toEqualTypeOf<Receipt>()
  expectTypeOf(await (await sendEmail.send('a', 'b')).result({ timeout: '1s' })).toEqualTypeOf<Receipt>()
  expectTypeOf(await add.message(1, 2).result()).toEqualTypeOf<number>()
  expectTypeOf(await (await tidy.send()).result()).toEqualTypeOf<void>()
  expectTypeOf(await (await add.send(1, 2)).with({ args: [] }).result()).toEqualTypeOf<number>()

  const text: string = await (await greet.send('Ada')).result()
  expectTypeOf(text).toBeString()
  // @ts-expect-error should be a duration
  await (await add.send(1, 2)).result({ timeout: true })
  // @ts-expect-error should be known: it is `timeout`
  await (await add.send(1, 2)).result({ timeoutMs: 1000 })
}

export function theFunctionItselfIsKept(): void {
  expectTypeOf(add.fn).parameters.toEqualTypeOf<[a: number, b: number]>()
  expectTypeOf(add).parameters.toEqualTypeOf<[a: number, b: number]>()
  expectTypeOf(add(1, 2)).toEqualTypeOf<number>()
  expectTypeOf(sendEmail('a', 'b')).toEqualTypeOf<Promise<Receipt>>()
  expectTypeOf(add.actorName).toBeString()
  expectTypeOf(add.queueName).toBeString()

  // @ts-expect-error should be called as the function is
  add('1', 2)
  // @ts-expect-error should be read only
  add.actorName = 'plus'
}

export async function optionsOfOneMessage(): Promise<void> {
  await add.sendWithOptions({ args: [1, 2], delay: '5m', maxRetries: 1, priority: 9, timeLimit: null })
  await add.sendWithOptions({ args: [1, 2], onSuccess: tidy, onFailure: 'elsewhere' })
  await add.sendWithOptions({ args: [1, 2], kwargs: { c: 3 }, options: { made_up: true } })
  expectTypeOf(await add.sendWithOptions({ args: [1, 2] })).toEqualTypeOf<Message<number>>()
  expectTypeOf(add.messageWithOptions({ args: [1, 2] })).toEqualTypeOf<Message<number, never>>()

  // The arguments may be left out only where the function needs none.
  await tidy.sendWithOptions()
  await tidy.sendWithOptions({ delay: '1h' })
  await page.sendWithOptions({ delay: 1000 })
  await page.sendWithOptions({ args: [5] })
  await sum.sendWithOptions({ priority: 1 })

  // @ts-expect-error should be given arguments
  await add.sendWithOptions({ delay: '5m' })
  // @ts-expect-error should be given options, for the arguments are among them
  await add.sendWithOptions()
  // @ts-expect-error should be the arguments of `add`
  await add.sendWithOptions({ args: ['1', 2] })
  // @ts-expect-error should be two arguments
  await add.sendWithOptions({ args: [1] })
  // @ts-expect-error should be a duration
  await tidy.sendWithOptions({ delay: true })
  // @ts-expect-error should be known: it is `maxRetries`
  await tidy.sendWithOptions({ maxRetry: 3 })
  // @ts-expect-error should be an option of the actor: it holds code
  await tidy.sendWithOptions({ retryWhen: () => true })
  // @ts-expect-error should be an option of the actor
  await tidy.sendWithOptions({ throws: TypeError })
  // @ts-expect-error should be an option of the actor
  await tidy.sendWithOptions({ queueName: 'other' })
  // @ts-expect-error should be an actor or the name of one
  await tidy.sendWithOptions({ onSuccess: () => {} })
}

export async function manyAtOnce(): Promise<void> {
  const sent = await sendEmail.sendMany([
    ['a@example.com', 'Hi'],
    ['b@example.com', 'Hi'],
  ])
  expectTypeOf(sent).toEqualTypeOf<Message<Receipt>[]>()
  const list = [
    ['c@example.com', 'Hi'],
    ['d@example.com', 'Hi'],
  ] as const
  await sendEmail.sendMany(list)
  await sendEmail.sendWithOptions({ args: list[0] })
  await add.sendMany([[1, 2]], { delay: '1m', priority: 2 })
  await tidy.sendMany([[], []])

  // @ts-expect-error should be a list of argument lists
  await add.sendMany([1, 2])
  // @ts-expect-error should be two arguments each
  await add.sendMany([[1]])
  // @ts-expect-error should have its arguments in the list
  await add.sendMany([[1, 2]], { args: [3, 4] })
}

export function optionsOfAnActor(): void {
  actor(() => {}, { actorName: 'a', queueName: 'q', priority: 3, maxRetries: null, minBackoff: 100, maxBackoff: '1h' })
  actor(() => {}, { actorName: 'b', throws: [TypeError, 'PaymentRefused'], retryWhen: (retries) => retries < 3 })
  actor(() => {}, { actorName: 'c', timeLimit: '5m', maxAge: '1d', storeResults: true, resultTtl: '1h' })
  actor(() => {}, { actorName: 'd', onSuccess: add, onRetryExhausted: tidy, notifyShutdown: true, jitter: false })

  actor(() => {}, {
    actorName: 'e',
    retryWhen(retries, error) {
      expectTypeOf(retries).toBeNumber()
      expectTypeOf(error).toEqualTypeOf<Error>()
      return false
    },
  })

  // @ts-expect-error should be known: it is `maxRetries`
  actor(() => {}, { maxRetry: 3 })
  // @ts-expect-error should be a duration
  actor(() => {}, { timeLimit: true })
  // @ts-expect-error should be a number
  actor(() => {}, { priority: 'high' })
  // @ts-expect-error should be an option of a message: an actor has no arguments yet
  actor(() => {}, { args: [] })
  // @ts-expect-error should be an option of a message
  actor(() => {}, { delay: '5m' })
  // @ts-expect-error should be a function
  actor('add')
}
