/** What is inferred of the function of a batch actor, and what is refused. Compiled, not run. */
import { expectTypeOf } from 'expect-type'
import { actor, BatchError, batchActor, type Message, type StandardSchemaV1 } from '../../lib/index.js'

interface Row {
  id: number
  name?: string
}

const insert = batchActor(
  async function insert(rows: Row[]) {
    console.log(rows)
  },
  { size: 100, linger: '50ms', maxRetries: 3, retryAlone: true },
)
const score = batchActor(
  async function score(texts: readonly string[]) {
    return texts.map((text) => text.length)
  },
  { storeResults: true },
)

export async function aMessageHasOneItem(): Promise<void> {
  expectTypeOf(insert.send).parameters.toEqualTypeOf<[item: Row]>()
  expectTypeOf(score.message('x')).toExtend<Message<number | null>>()
  await insert.sendMany([[{ id: 1 }], [{ id: 2, name: 'b' }]])
  await insert.sendWithOptions({ args: [{ id: 1 }], delay: '1s' })
  // @ts-expect-error should be one item, not a list of them
  await insert.send([{ id: 1 }])
  // @ts-expect-error should be a row
  await insert.send({ name: 'a' })
  // @ts-expect-error should be given its item
  await insert.send()
}

export async function aResultIsThatOfAnItem(): Promise<void> {
  expectTypeOf(await score.send('a')).toEqualTypeOf<Message<number>>()
  expectTypeOf(await (await insert.send({ id: 1 })).result()).toEqualTypeOf<undefined>()
  expectTypeOf(await score(['a', 'b'])).toEqualTypeOf<number[]>()
  expectTypeOf(score.batch.size).toBeNumber()
  actor(async function afterwards() {}, { onSuccess: insert })
}

export function theFunctionTakesAnArray(): void {
  // @ts-expect-error should be an array of items
  batchActor(async function one(_row: Row) {})
  // @ts-expect-error should be one parameter
  batchActor(async function two(_rows: Row[], _more: number) {})
  // @ts-expect-error should be JSON: item.at is a Date
  batchActor(async function dates(_rows: { at: Date }[]) {})
  // @ts-expect-error should be JSON, too, if results are kept
  batchActor(async (texts: string[]) => texts.map(() => new Date()), { actorName: 'kept', storeResults: true })
  // @ts-expect-error should be an array of results, if they are kept
  batchActor(async (texts: string[]) => texts.length, { actorName: 'count', storeResults: true })
  batchActor(async (texts: string[]) => texts.length, { actorName: 'ignored' })
  // @ts-expect-error should be a known option
  batchActor(async (_texts: string[]) => {}, { actorName: 'typo', sise: 3 })
  // @ts-expect-error should be a duration
  batchActor(async (_texts: string[]) => {}, { actorName: 'soon', linger: 'soon' })
}

export async function aSchemaIsThatOfAnItem(schema: StandardSchemaV1<{ at: string }, { at: Date }>): Promise<void> {
  const dated = batchActor(
    async function dated(rows: { at: Date }[]) {
      return rows.map(({ at }) => at.getTime())
    },
    { schema, storeResults: true },
  )
  expectTypeOf(dated.send).parameters.toEqualTypeOf<[item: { at: string }]>()
  expectTypeOf(await dated.send({ at: 'now' })).toEqualTypeOf<Message<number>>()
  batchActor((rows) => expectTypeOf(rows).toEqualTypeOf<{ at: Date }[]>(), { actorName: 'inferred', schema })
  // @ts-expect-error should be what the schema makes of an item
  batchActor((_rows: { at: string }[]) => {}, { actorName: 'raw', schema })
}

export function errorsAreByIndex(): void {
  new BatchError(new Map([[0, new Error('no')]]))
  new BatchError([[0, 'text']], { results: [1, 2] })
  // @ts-expect-error should be by number
  new BatchError(new Map([['0', new Error('no')]]))
}
