/** What the declarations of the package accept and refuse. Only compiled, never run. */
import { type Actor, actor, getBroker, type Message, remoteActor, TimeLimit } from 'dramatis'
import { MemoryBroker } from 'dramatis/memory'
import { Results, Retries } from 'dramatis/middleware'
import { SQLiteBroker } from 'dramatis/sqlite'
import { type TestBroker, testBroker } from 'dramatis/testing'
import { Tenants } from './plugin.js'

// Options of the default chain, each declared by its middleware.
export const add = actor((a: number, b: number) => a + b, {
  actorName: 'add',
  queueName: 'sums',
  priority: 3,
  maxRetries: 3,
  minBackoff: '1s',
  throws: [TypeError, 'NotFound'],
  retryWhen: (retries, error) => retries < 2 && error.name !== 'NotFound',
  timeLimit: null,
  storeResults: true,
  resultTtl: '1h',
  tenant: 'acme',
})

// @ts-expect-error should be maxRetries
actor(() => {}, { actorName: 'misspelt', maxRetry: 3 })
// @ts-expect-error should be a number
actor(() => {}, { actorName: 'wrong', maxRetries: 'three' })
// @ts-expect-error should be a string, as the plugin declares
actor(() => {}, { actorName: 'tenant', tenant: 1 })

export async function send(): Promise<number> {
  const typed: Actor<[a: number, b: number], number> = add
  const message: Message<number> = await typed.send(1, 2)
  await add.sendWithOptions({ args: [1, 2], delay: '5m', maxRetries: 1 })
  // @ts-expect-error should be a number
  await add.send('1', 2)
  // @ts-expect-error should be given both arguments
  await add.send(1)
  // @ts-expect-error should be an option of the actor only
  await add.sendWithOptions({ args: [1, 2], retryWhen: () => true })
  return message.result({ timeout: '10s' })
}

export async function sendElsewhere(): Promise<string> {
  const greet = remoteActor<[name: string], string>('greet', { queueName: 'python' })
  return (await greet.send('world')).result()
}

export function brokers(): void {
  const broker = new SQLiteBroker({ path: 'dramatis.db' })
  broker.use(new Tenants()).use(new Retries({ maxRetries: 5 }), { after: TimeLimit })
  new MemoryBroker().use({ beforeEnqueue: (message) => void message.messageId.length })
  const { results } = getBroker()
  if (results) broker.use(new Results({ backend: results }))
}

export async function aidsForTests(): Promise<number> {
  const broker: TestBroker = testBroker({ concurrency: 1 })
  const [sent] = await broker.assertSent(add, [1], { within: '1s' })
  // @ts-expect-error should be a number
  broker.refuteSent(add, ['1'])
  await broker.drain({ failOnDeadLetter: false })
  await broker.waitFor(add, 'succeeded')
  return sent?.delay ?? broker.perform(add, [1, 2], { attempt: 3 })
}
