/** What is inferred from the schemas of an actor, and what is refused. Nothing here runs. */
import { type } from 'arktype'
import { expectTypeOf } from 'expect-type'
import * as v from 'valibot'
import { z } from 'zod'
import {
  type Actor,
  type ActorHandle,
  actor,
  type InputsOf,
  type OutputsOf,
  remoteActor,
  type StandardSchemaV1,
} from '../../lib/index.js'

const zodOrder = z.object({ id: z.number(), at: z.iso.datetime().transform((text) => new Date(text)) })
const valibotOrder = v.object({
  id: v.number(),
  at: v.pipe(
    v.string(),
    v.transform((text) => new Date(text)),
  ),
})
const arktypeOrder = type({ id: 'number', at: 'string.date.parse' })

interface Input {
  id: number
  at: string
}
interface Output {
  id: number
  at: Date
}

export function schemasOfEveryLibraryAreTaken(): void {
  expectTypeOf(zodOrder).toExtend<StandardSchemaV1<Input, Output>>()
  expectTypeOf(valibotOrder).toExtend<StandardSchemaV1<Input, Output>>()
  expectTypeOf(arktypeOrder).toExtend<StandardSchemaV1<Input, Output>>()
  expectTypeOf<InputsOf<typeof zodOrder>>().toEqualTypeOf<[Input]>()
  expectTypeOf<OutputsOf<typeof valibotOrder>>().toEqualTypeOf<[Output]>()
  expectTypeOf<OutputsOf<[typeof zodOrder, typeof arktypeOrder]>>().toExtend<[Output, Output]>()
}

export async function sendersGiveTheInputAndTheFunctionReceivesTheOutput(): Promise<void> {
  const ship = actor(
    async function ship({ id, at }) {
      expectTypeOf(id).toBeNumber()
      expectTypeOf(at).toEqualTypeOf<Date>()
      return { id, day: at.getDay() }
    },
    { schema: zodOrder, storeResults: true, maxRetries: 3 },
  )
  expectTypeOf(ship).toExtend<Actor<[Input], { id: number; day: number }, [Output]>>()
  expectTypeOf(ship.send).parameters.toEqualTypeOf<[Input]>()
  expectTypeOf(ship.fn).parameters.toEqualTypeOf<[Output]>()
  expectTypeOf(await (await ship.send({ id: 1, at: '2026-01-01' })).result()).toEqualTypeOf<{
    id: number
    day: number
  }>()
  await ship.sendWithOptions({ args: [{ id: 1, at: '2026-01-01' }], delay: '1h' })
  await ship.sendMany([[{ id: 1, at: '2026-01-01' }]])
  await ship({ id: 1, at: new Date() })

  // @ts-expect-error should be the text that the schema takes
  await ship.send({ id: 1, at: new Date() })
  // @ts-expect-error should be what the schema takes, here as well
  await ship.sendWithOptions({ args: [{ id: '1', at: '2026-01-01' }] })
  // @ts-expect-error should be called as the function is, with a date
  await ship({ id: 1, at: '2026-01-01' })
  // @ts-expect-error should be one argument
  await ship.send({ id: 1, at: '2026-01-01' }, 2)
}

export async function allLibrariesTypeTheFunction(): Promise<void> {
  const options = { actorName: 'a' }
  const byValibot = actor((order) => order.at.getTime(), { ...options, schema: valibotOrder })
  const byArktype = actor((order) => order.at.getTime(), { ...options, schema: arktypeOrder })
  expectTypeOf(byValibot.send).parameters.toEqualTypeOf<[Input]>()
  expectTypeOf(byArktype.send).parameters.toEqualTypeOf<[Input]>()
  expectTypeOf(byArktype({ id: 1, at: new Date() })).toEqualTypeOf<number>()
}

export async function anArrayHasOneSchemaForEachArgument(): Promise<void> {
  const scale = actor(
    (n, unit, places) => {
      expectTypeOf(n).toBeNumber()
      expectTypeOf(unit).toBeString()
      expectTypeOf(places).toEqualTypeOf<number | undefined>()
      return `${n.toFixed(places)} ${unit}`
    },
    { actorName: 'scale', schema: [z.number(), v.optional(v.string(), 'm'), type('number | undefined')] },
  )
  expectTypeOf(scale.send).parameters.toEqualTypeOf<[number, (string | undefined)?, (number | undefined)?]>()
  await scale.send(1)
  await scale.send(1, 'km', 2)
  const tidy = actor(() => {}, { actorName: 'tidy', schema: [] })
  expectTypeOf(tidy.send).parameters.toEqualTypeOf<[]>()
  await tidy.sendWithOptions({ delay: '1h' })
  const page = actor((limit) => limit + 1, { actorName: 'page', schema: z.number().default(10) })
  await page.send()
  await page.sendWithOptions({ delay: '1h' })
  // A schema that takes anything may still refuse `undefined`.
  const count = actor((n) => n + 1, { actorName: 'count', schema: z.coerce.number() })
  expectTypeOf(count.send).parameters.toEqualTypeOf<[unknown]>()

  // @ts-expect-error should be a number
  await scale.send('1')
  // @ts-expect-error should be at least one argument
  await scale.send()
  // @ts-expect-error should be no argument at all
  await tidy.send(1)
}

export function functionAndSchemaMustAgree(): void {
  // A function may take fewer arguments, and wider ones.
  actor((_n: number | string) => {}, { actorName: 'a', schema: [z.number(), z.string()] })
  actor((_order: { id: number }) => {}, { actorName: 'b', schema: zodOrder })
  actor((_at: Date) => {}, { actorName: 'c', schema: z.iso.datetime().transform((text) => new Date(text)) })

  // @ts-expect-error should be a function of a date: that is what the schema makes of the text
  actor((_order: { at: string }) => {}, { actorName: 'd', schema: zodOrder })
  // @ts-expect-error should be a function of one argument, a tuple
  actor((_n: number, _s: string) => {}, { actorName: 'e', schema: z.tuple([z.number(), z.string()]) })
  // @ts-expect-error should be a schema of what JSON has
  actor((_at: Date) => {}, { actorName: 'f', schema: z.date() })
  // @ts-expect-error should be JSON, since the result is stored
  actor((at: string) => new Date(at), { actorName: 'g', schema: z.string(), storeResults: true })
  // @ts-expect-error should be a schema
  actor((_n: number) => {}, { actorName: 'h', schema: 'number' })
  // @ts-expect-error should be known: it is `maxRetries`
  actor((_n: number) => {}, { actorName: 'i', schema: z.number(), maxRetry: 3 })
}

export function versionsAndMigrations(): void {
  actor((_n: number) => {}, { actorName: 'a', version: 2, migrate: (args, version) => [args[0] * version] })
  actor(({ id }) => id, { actorName: 'b', schema: zodOrder, version: 2, migrate: async ([id]) => [{ id }] })

  // @ts-expect-error should be a number
  actor((_n: number) => {}, { actorName: 'c', version: '2' })
  // @ts-expect-error should be a list of arguments
  actor((_n: number) => {}, { actorName: 'd', version: 2, migrate: (args) => args[0] as number })
}

export async function remoteActorsAreTypedByTheirSchema(): Promise<void> {
  const ship = remoteActor('ship', { queueName: 'python', schema: zodOrder, version: 2 })
  expectTypeOf(ship).toEqualTypeOf<ActorHandle<[Input], unknown>>()
  const add = remoteActor<[z.ZodNumber, z.ZodNumber], number>('add', { schema: [z.number(), z.number()] })
  expectTypeOf(await (await add.send(1, 2)).result()).toEqualTypeOf<number>()

  // @ts-expect-error should be the text that the schema takes
  await ship.send({ id: 1, at: new Date() })
  // @ts-expect-error should be a schema of what JSON has
  remoteActor('ship', { schema: z.date() })
}
