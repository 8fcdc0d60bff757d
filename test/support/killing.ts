/** Kills child processes at random moments, which a seed repeats. */
import { randomUUID } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { type Test, t } from 'tap'
import type { Broker } from '../../lib/broker.js'
import { setBroker } from '../../lib/default-broker.js'
import { Message } from '../../lib/message.js'
import { pause } from '../../lib/time.js'
import { makeBroker } from './cancellation-broker.js'
import { Child } from './processes.js'
import { withRedisUrl } from './redis-server.js'
import { makePath } from './sqlite-files.js'

/** Numbers from 0 to 1 that the same seed repeats. `FAULTS_SEED` chooses another one. */
export function random(seed = Number(process.env.FAULTS_SEED ?? 9)): () => number {
  let state = seed
  return () => {
    // Mulberry32.
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export interface Killing {
  readonly t: Test
  readonly broker: Broker
  readonly random: () => number
  /**
   * Starts a child process of `faults-child.ts`, and kills it once it has said so many lines, or two seconds after it was
   * ready. Returns its lines.
   */
  readonly live: (args: readonly string[], lines: number) => Promise<readonly string[]>
  /** The runs of all processes, in order: a series and a number. */
  readonly ledger: () => readonly (readonly [series: string, number: number])[]
}

type Ask = (title: string, answer: (killing: Killing) => Promise<void>) => void

/** Calls `define` with a function that defines a test on SQLite and on Redis. */
export async function whileKilling(define: (ask: Ask) => void): Promise<void> {
  const on = (name: string, share: (t: Test) => string): void =>
    define((title, answer) => {
      t.test(`${name}: ${title}`, { timeout: 60_000 }, async (t) => {
        const shared = share(t)
        const file = makePath(t)
        writeFileSync(file, '')
        process.env.FAULTS_LEDGER = file
        const broker = makeBroker(shared)
        setBroker(broker)
        t.teardown(() => broker.close())
        const next = random()
        const live = async (args: readonly string[], lines: number): Promise<readonly string[]> => {
          const child = new Child(t, 'faults-child.ts', [shared, ...args])
          await child.until(({ length }) => length > 0)
          await Promise.race([child.until(({ length }) => length >= lines), pause(2000)])
          // It says several lines in a row: not always at their end.
          await pause(next() * 10)
          await child.kill()
          return child.lines.filter((line) => line !== 'ready')
        }
        const ledger = (): [string, number][] => {
          const lines = readFileSync(file, 'utf8').trim().split('\n').filter(Boolean)
          return lines.map((line) => [line.split(' ')[0] as string, Number(line.split(' ')[1])])
        }
        await answer({ t, broker, random: next, live, ledger })
      })
    })
  on('SQLite', (t) => `sqlite ${makePath(t)}`)
  await withRedisUrl((url) => on('Redis', () => `redis ${url} killing-${randomUUID()}`))
}

/** All messages of a queue, which are taken once nobody else holds one. */
export async function messagesIn(broker: Broker, queueName: string): Promise<Message[]> {
  const consumer = broker.consume(queueName, { prefetch: 1000 })
  const messages: Message[] = []
  for (;;) {
    const { ready, delayed, inFlight } = await broker.stats(queueName)
    if (ready + delayed + inFlight === messages.length) break
    for (const { body } of await consumer.take(1000)) messages.push(Message.decode(body))
  }
  await consumer.close()
  return messages
}
