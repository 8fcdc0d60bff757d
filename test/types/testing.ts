/** What the test broker infers of an actor, and what it refuses. Compiled only. */
import { expectTypeOf } from 'expect-type'
import { actor, type Message, remoteActor } from '../../lib/index.js'
import { type EndedDelivery, type SentMessage, testBroker } from '../../testing/index.js'

interface Order {
  id: number
  state: 'new' | 'paid'
  lines: { sku: string; count: number }[]
  note?: string
}

const pack = actor(async function pack(order: Order, urgent = false): Promise<{ parcels: number }> {
  return { parcels: order.lines.length + Number(urgent) }
})
const tidy = actor(function tidy() {})
const sum = actor(function sum(...numbers: number[]) {
  return numbers.length
})
const greet = remoteActor<[name: string], string>('greet')
const order: Order = { id: 1, state: 'new', lines: [] }

export async function argumentsMatchThoseOfTheActor(): Promise<void> {
  const broker = testBroker()
  await broker.assertSent(pack)
  await broker.assertSent(pack, [])
  await broker.assertSent(pack, [{ id: 1 }])
  await broker.assertSent(pack, [{ lines: [{ sku: /^a/ }], state: 'paid', note: undefined }, true])
  await broker.assertSent(pack, [undefined, true], { within: '1s', count: 1 })
  await broker.assertSent(sum, [1, 2])
  await broker.assertSent(greet, [/Ada/])
  broker.refuteSent(pack, [{ id: 1 }])
  // @ts-expect-error should be a number
  await broker.assertSent(pack, [{ id: 'one' }])
  // @ts-expect-error should be a property of the order
  await broker.assertSent(pack, [{ identity: 1 }])
  // @ts-expect-error should be one of the states
  broker.refuteSent(pack, [{ state: 'lost' }])
  // @ts-expect-error should be two arguments at most
  await broker.assertSent(pack, [order, true, 3])
  // @ts-expect-error should be no arguments
  broker.refuteSent(tidy, [1])
  // @ts-expect-error should be an actor
  await broker.assertSent(() => {})
  expectTypeOf(await broker.assertSent(pack)).toEqualTypeOf<readonly SentMessage[]>()
  expectTypeOf(broker.sent).toEqualTypeOf<readonly SentMessage[]>()
  expectTypeOf<SentMessage['message']>().toEqualTypeOf<Message>()
}

export async function performReturnsWhatTheActorReturns(): Promise<void> {
  const broker = testBroker()
  expectTypeOf(await broker.perform(pack, [order])).toEqualTypeOf<{ parcels: number }>()
  expectTypeOf(await broker.perform(sum, [1, 2], { attempt: 3 })).toEqualTypeOf<number>()
  await broker.perform(tidy, [])
  // @ts-expect-error should be an order
  await broker.perform(pack, [{ id: 1 }])
  // @ts-expect-error should be given its argument
  await broker.perform(pack, [])
  // @ts-expect-error should be an actor that runs here
  await broker.perform(greet, ['Ada'])
}

export async function endsAreNamed(): Promise<void> {
  const broker = testBroker({ concurrency: 1 })
  expectTypeOf(await broker.waitFor(pack, 'dead-lettered', { within: '1s' })).toEqualTypeOf<EndedDelivery>()
  await broker.waitFor(greet, 'succeeded')
  // @ts-expect-error should be one of the ends
  await broker.waitFor(pack, 'done')
  // @ts-expect-error should be an option
  await broker.drain({ failOnDeadLeter: false })
  broker.faults.duplicate(greet)
  // @ts-expect-error should be an option
  testBroker({ concurency: 1 })
}
