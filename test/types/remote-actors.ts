/** A handle on an actor that lives elsewhere is typed by hand, since there is no function to ask. */
import { expectTypeOf } from 'expect-type'
import { type ActorHandle, actor, remoteActor } from '../../lib/index.js'

const add = remoteActor<[a: number, b: number], number>('add', { queueName: 'python' })
const refresh = remoteActor<[], void>('refresh')
const anything = remoteActor('anything')

export async function argumentsAndResultAreAsSaid(): Promise<void> {
  expectTypeOf(add).toEqualTypeOf<ActorHandle<[a: number, b: number], number>>()
  expectTypeOf(add.send).parameters.toEqualTypeOf<[a: number, b: number]>()
  expectTypeOf(await (await add.send(1, 2)).result()).toEqualTypeOf<number>()
  await add.sendWithOptions({ args: [1, 2], delay: '1m', kwargs: { round: true } })
  await add.sendMany([
    [1, 2],
    [3, 4],
  ])
  await refresh.send()
  await refresh.sendWithOptions({ delay: '1m' })

  // @ts-expect-error should be numbers
  await add.send('1', '2')
  // @ts-expect-error should be given arguments
  await add.sendWithOptions({ delay: '1m' })
  // @ts-expect-error should be no function: it lives elsewhere
  add(1, 2)
  // @ts-expect-error should be no function: it lives elsewhere
  add.fn
}

export async function withoutTypesAnythingGoes(): Promise<void> {
  await anything.send(1, 'two', { three: 3 })
  await anything.sendWithOptions({ kwargs: { a: 1 } })
  expectTypeOf(await (await anything.send()).result()).toBeUnknown()
}

export function itCanStandWhereAnActorIsNamed(): void {
  actor(() => {}, { actorName: 'caller', onSuccess: add })
  // @ts-expect-error should be a name
  remoteActor(add)
  // @ts-expect-error should have its name in the first place
  remoteActor('add', { actorName: 'plus' })
  // @ts-expect-error should be known: it is `queueName`
  remoteActor('add', { queue: 'python' })
}
