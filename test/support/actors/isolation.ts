/** Actors that end their thread in ways that don't show which one did it, and others on the same thread. */
import { appendFileSync } from 'node:fs'
import { MessageChannel, threadId } from 'node:worker_threads'
import { actor, current } from '../../../lib/index.js'

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const shared = { storeResults: true, maxRetries: 0, timeLimit: 400 } as const

/** Records that an actor starts, for the test to count. */
function begin(name: string): void {
  appendFileSync(process.env.STARTS as string, `${name}\n`)
}

export const innocent = actor(
  async (ms: number) => {
    begin('innocent')
    await wait(ms)
    return threadId
  },
  { ...shared, actorName: 'innocent' },
)

/** Waits for longer than the others' limit. */
export const patient = actor(
  async (ms: number) => {
    begin('patient')
    await wait(ms)
    return threadId
  },
  { ...shared, actorName: 'patient', timeLimit: '1m' },
)

/** Computes for this time, after an await. */
export const computeLater = actor(
  async (ms: number) => {
    begin('culprit')
    await wait(10)
    const end = Date.now() + ms
    while (Date.now() < end);
    return 'computed'
  },
  { ...shared, actorName: 'computeLater' },
)

/** Blocks its thread for ever, shortly before its time limit. */
export const blockAtLast = actor(
  async () => {
    begin('culprit')
    await wait(320)
    for (;;);
  },
  { ...shared, actorName: 'blockAtLast' },
)

/** Awaits settled promises for ever, so that no other code can run. */
export const microtasks = actor(
  async () => {
    begin('culprit')
    await wait(10)
    for (;;) await null
  },
  { ...shared, actorName: 'microtasks' },
)

export const exitLater = actor(
  async () => {
    begin('culprit')
    await wait(100)
    process.exit(3)
  },
  { ...shared, actorName: 'exitLater' },
)

/** Throws in a listener of its signal. */
export const listenBadly = actor(
  async () => {
    begin('culprit')
    current().signal.addEventListener('abort', () => {
      throw new Error('no listener')
    })
    await wait(60_000)
  },
  { ...shared, actorName: 'listenBadly' },
)

// A callback that belongs to no message, as those of a shared connection are.
const { port1, port2 } = new MessageChannel()
port2.on('message', () => process.exit(4)).unref()

export const exitElsewhere = actor(
  async () => {
    begin('culprit')
    await wait(100)
    port1.postMessage('exit')
    await wait(10_000)
  },
  { ...shared, actorName: 'exitElsewhere', timeLimit: '1m' },
)

export const hoardLater = actor(
  async () => {
    begin('culprit')
    await wait(100)
    const hoarded: unknown[] = []
    for (;;) hoarded.push(Array.from({ length: 1000 }, () => ({ text: Math.random() })))
  },
  { ...shared, actorName: 'hoardLater', timeLimit: '1m' },
)

/** Allocates memory for ever: faster than V8 can stop it, or slowly. */
export const hoard = actor(
  async (how: 'quickly' | 'slowly') => {
    begin('culprit')
    await wait(50)
    const numbers: number[] = []
    while (how === 'quickly') numbers.push(numbers.length + 0.5)
    for (const hoarded: number[][] = []; ; await wait(5)) {
      hoarded.push(Array.from({ length: 300_000 }, (_, index) => index + 0.5))
    }
  },
  { ...shared, actorName: 'hoard', timeLimit: '1m' },
)

/** Makes this many megabytes of garbage that lives for a while. */
export const litter = actor(
  async (megabytes: number) => {
    for (let round = 0; round < megabytes / 20; round++) {
      const held: unknown[] = []
      // About 80 bytes each.
      for (let index = 0; index < 250_000; index++) held.push({ index, text: `${index}` })
      await wait(5)
    }
    return 'clean'
  },
  { ...shared, actorName: 'litter', timeLimit: '1m' },
)
