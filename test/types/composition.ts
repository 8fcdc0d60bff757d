/** The types of pipelines and groups: each step takes what the one before gives. */
import { actor, Group, group, type Message, Pipeline, pipeline, remoteActor } from 'dramatis'
import { expectTypeOf } from 'expect-type'

const count = actor(async (text: string) => text.length, { actorName: 'count' })
const add = actor((a: number, b: number) => a + b, { actorName: 'add' })
const show = actor((value: number) => `${value}`, { actorName: 'show' })
const total = actor((values: number[]) => values.length, { actorName: 'total' })
const tidy = actor(async () => {}, { actorName: 'tidy' })
const repeat = actor((text: string, times = 2) => text.repeat(times), { actorName: 'repeat' })
const python = remoteActor<[path: string, pages: number], string>('python')
const anything = remoteActor('anything')

export async function pipelines(): Promise<void> {
  const piped = pipeline([count.message('text'), add.message(1), show.message()])
  expectTypeOf(piped).toEqualTypeOf<Pipeline<[number, number, string], never>>()
  expectTypeOf(await piped.result()).toEqualTypeOf<string>()
  expectTypeOf(await piped.run({ delay: '5m' })).toEqualTypeOf<typeof piped>()
  for await (const result of piped.results()) expectTypeOf(result).toEqualTypeOf<number | string>()

  const chained = count.message('text').pipe(add.message(1)).pipe(show.message())
  expectTypeOf(await chained.result()).toEqualTypeOf<string>()
  pipeline([show.message(1), python.message('x')] as never)
  pipeline([show.message(), count.message(), python.message('x')])
  pipeline([anything.message(), add.message(1), anything.message(2)])
  pipeline([show.message(1), repeat.message()])
  pipeline([count.message('x'), repeat.message('x')])
}

export function whatDoesNotFit(): void {
  // @ts-expect-error should be a number, and show gives a text
  pipeline([show.message(1), add.message(1)])
  // @ts-expect-error should be a number, as above
  show.message(1).pipe(add.message(1))
  // @ts-expect-error should have an argument left, and add has all of them
  pipeline([count.message('text'), add.message(1, 2)])
  // @ts-expect-error should take something, and tidy takes nothing
  count.message('text').pipe(tidy.message())
  // @ts-expect-error should have all arguments but the last
  add.message()
  // @ts-expect-error should be a text
  count.message(1)
}

export function withOptions(): void {
  count.message('text').pipe(tidy.messageWithOptions({ pipeIgnore: true }))
  count.message('text').pipe(add.messageWithOptions({ args: [1, 2], pipeIgnore: true, delay: '1m' }))
  count.message('text').pipe(add.messageWithOptions({ args: [1], maxRetries: 1 }))
  // @ts-expect-error should be a number, and show gives a text
  show.message(1).pipe(add.messageWithOptions({ args: [1] }))
}

export async function groups(): Promise<void> {
  const both = group([count.message('a'), show.message(1)], { onChildFailure: 'continue', deadline: '5m' })
  expectTypeOf(both).toEqualTypeOf<Group<[number, string], never>>()
  expectTypeOf(await both.result()).toEqualTypeOf<[number, string]>()
  expectTypeOf(await both.wait()).toEqualTypeOf<'completed' | 'failed' | 'expired'>()

  const many = group(['a', 'b'].map((text) => count.message(text)))
  expectTypeOf(await many.result()).toEqualTypeOf<number[]>()
  for await (const result of many.results({ asCompleted: true })) expectTypeOf(result).toEqualTypeOf<number>()
  group([], { onComplete: tidy.message(), onFailure: show.message(1) }).addCompletionCallback(tidy.message())
  // @ts-expect-error should be one of the three reactions
  group([], { onChildFailure: 'ignore' })
}

export async function groupsInPipelines(): Promise<void> {
  const fanOut = pipeline([count.message('text'), group([add.message(1), add.message(2)]), total.message()])
  expectTypeOf(await fanOut.result()).toEqualTypeOf<number>()
  group([count.message('a').pipe(show.message()), pipeline([show.message(1)])])
  // @ts-expect-error should be a list, and show takes a number
  pipeline([group([add.message(1, 2)]), show.message()])
  // @ts-expect-error should take a text in every member
  pipeline([show.message(1), group([count.message(), add.message(1)])])
}

export function messagesAreMessages(): void {
  const list: Message[] = [count.message('a'), add.message(1)]
  new Pipeline(list)
  new Group(list)
}
