/** The status, the progress and the log of messages. */
import { expectTypeOf } from 'expect-type'
import { actor, type Broker, current, type Message, type MessageState, type MessageStatus } from '../../lib/index.js'

export const tracked = actor(
  async function tracked(_: number) {
    current().progress(0.5)
    current().progress(1, { note: 'done' })
    current().log('done')
    // @ts-expect-error should be a number
    current().progress('half')
    // @ts-expect-error should be a text
    current().progress(0.5, { note: 1 })
    // @ts-expect-error should be a text
    current().log({ page: 1 })
  },
  { trackStatus: true, statusTtl: '7d' },
)

export async function aMessageCanBeAskedAndFollowed(message: Message<number>, broker: Broker): Promise<void> {
  expectTypeOf(await message.status()).toEqualTypeOf<MessageStatus>()
  expectTypeOf(await broker.status(message.messageId)).toEqualTypeOf<MessageStatus>()
  expectTypeOf(await broker.statuses(['one', 'two'])).toEqualTypeOf<MessageStatus[]>()
  const { state, attempt, progress, error } = await message.status()
  expectTypeOf(state).toEqualTypeOf<MessageState>()
  expectTypeOf(attempt).toEqualTypeOf<number | undefined>()
  expectTypeOf(progress).toEqualTypeOf<number | undefined>()
  expectTypeOf(error?.type).toEqualTypeOf<string | undefined>()
  // @ts-expect-error should be one of the states
  if (state === 'done') return
  for (const line of await message.logs()) {
    expectTypeOf(line.at).toEqualTypeOf<number>()
    expectTypeOf(line.text).toEqualTypeOf<string>()
  }
  for await (const report of message.progress({ signal: AbortSignal.timeout(1000), timeout: '10s' })) {
    expectTypeOf(report.progress).toEqualTypeOf<number>()
    expectTypeOf(report.note).toEqualTypeOf<string | undefined>()
    expectTypeOf(report.at).toEqualTypeOf<number>()
  }
  for await (const status of broker.watchStatus('one')) expectTypeOf(status).toEqualTypeOf<MessageStatus>()
  // @ts-expect-error should be the id of a message
  await broker.status(message)
  // @ts-expect-error should be a duration
  broker.progress('one', { timeout: 'soon' })
}

export async function whetherAMessageIsTrackedIsAnOptionOfIt(): Promise<void> {
  await tracked.sendWithOptions({ args: [1], trackStatus: false })
  // @ts-expect-error should be true or false
  await tracked.sendWithOptions({ args: [1], trackStatus: 'yes' })
}
