/** The types of cancelling. */
import {
  actor,
  type CancelAnswer,
  type CancelledError,
  type CancelledMany,
  getBroker,
  type Message,
  type Middleware,
} from 'dramatis'
import { expectTypeOf } from 'expect-type'

const job = actor((id: number) => id, { actorName: 'job', cancellable: false })

export async function cancelling(): Promise<void> {
  const message = await job.sendWithOptions({ args: [1], cancellable: true })
  expectTypeOf(await message.cancel()).toEqualTypeOf<CancelAnswer>()
  await message.cancel({ reason: 'why', cascade: true })
  // @ts-expect-error should refuse a queue, which the message knows
  await message.cancel({ queueName: 'default' })
  const broker = getBroker()
  expectTypeOf(await broker.cancel(message)).toEqualTypeOf<CancelAnswer>()
  await broker.cancel('id', { reason: 'why', cascade: true, queueName: 'default' })
  expectTypeOf(
    await broker.cancelMany({ actor: job, queue: 'default' }, { dryRun: true }),
  ).toEqualTypeOf<CancelledMany>()
  await broker.cancelMany({ actor: 'job' }, { reason: 'why' })
  // @ts-expect-error should refuse a call without a filter
  await broker.cancelMany()
}

export const plugin: Middleware = {
  afterMessageCancelled(message, error) {
    expectTypeOf(message).toEqualTypeOf<Message>()
    expectTypeOf(error).toEqualTypeOf<CancelledError>()
    expectTypeOf(error.reason).toEqualTypeOf<string | undefined>()
  },
  afterProcessMessage(_, outcome) {
    outcome.cancel('why')
    expectTypeOf(outcome.cancellation).toEqualTypeOf<CancelledError | undefined>()
  },
}
