/** Actors that run on threads in tests: imported by the test and, again, by each of its threads. */
import { isMainThread, threadId } from 'node:worker_threads'
import { actor, current, ResultFailure, Retry } from '../../../lib/index.js'

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const shared = { storeResults: true, maxRetries: 0 } as const

export const whereAmI = actor(async function whereAmI() {
  await wait(1)
  return { isMainThread, threadId, messageId: current().message.messageId }
}, shared)

export const spin = actor(
  function spin() {
    for (;;);
  },
  { ...shared, timeLimit: 300 },
)

export const spinLater = actor(
  async function spinLater() {
    await wait(1)
    for (;;);
  },
  { ...shared, timeLimit: 300 },
)

export const hang = actor(async () => await new Promise(() => {}), { ...shared, actorName: 'hang', timeLimit: 300 })

export const heed = actor(
  async function heed() {
    const { signal } = current()
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  },
  { ...shared, timeLimit: 200 },
)

/** Blocks its thread for a while, within its own limit. */
export const block = actor(function block(ms: number) {
  const end = Date.now() + ms
  while (Date.now() < end);
  return threadId
}, shared)

export const nap = actor(async function nap(ms: number) {
  await wait(ms)
  return threadId
}, shared)

/** Waits for a little less than its limit, if it can run. */
export const briefly = actor(
  async function briefly() {
    await wait(1)
    return 'done'
  },
  { ...shared, timeLimit: 250 },
)

export const hoard = actor(async function hoard() {
  const hoarded: unknown[] = []
  for (;;) hoarded.push(new Array(100_000).fill(hoarded.length))
}, shared)

export const leave = actor(function leave() {
  process.exit(3)
}, shared)

export const throwOutside = actor(async function throwOutside() {
  setTimeout(() => {
    throw new RangeError('from a timer')
  }, 1)
  await wait(60_000)
}, shared)

export class OutOfStock extends Error {
  override name = 'OutOfStock'
  readonly sku = 'A1'
}

export const order = actor(
  async function order() {
    throw new OutOfStock('none left', { cause: new TypeError('count is 0') })
  },
  { ...shared, maxRetries: 5, throws: OutOfStock },
)

export const again = actor(
  async function again() {
    if (!current().message.options.retries) throw new Retry({ delay: 1 })
    return current().message.options.retries
  },
  { ...shared, maxRetries: 1 },
)

export const oddResult = actor(function oddResult(): unknown {
  return () => 'a function'
}, shared)

export const unwantedOddResult = actor(function unwantedOddResult() {
  return () => 'a function'
})

export const forward = actor(async function forward(value: number) {
  const message = await target.send(value)
  return await message.result()
}, shared)

/** Returns the error that it catches when it waits for the result of a failing message. */
export const forwardFailure = actor(async function forwardFailure() {
  const message = await order.send()
  const error = await message.result().catch((error) => error)
  return { ...error, known: error instanceof ResultFailure }
}, shared)

export const target = actor(function target(value: number) {
  return value * 2
}, shared)
