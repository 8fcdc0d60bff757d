/** Runs the same tests on every broker: features that stand on the state must behave the same on all of them. */
import { randomUUID } from 'node:crypto'
import { type Test, t } from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { RedisBroker } from '../../brokers/redis/index.js'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import type { Broker, BrokerOptions } from '../../lib/broker.js'
import { type Stage, stage } from './memory.js'
import { withRedisUrl } from './redis-server.js'
import { detour, makePath } from './sqlite-files.js'

export interface BrokerStage extends Omit<Stage, 'broker'> {
  readonly t: Test
  readonly broker: Broker
  /** Another broker on the same store, as in another process; in memory the same one. */
  another(options?: BrokerOptions): Broker
}

export type AskEach = (title: string, answer: (stage: BrokerStage) => Promise<void>) => void

interface Maker {
  readonly name: string
  /** Returns a function that makes brokers on one empty store. */
  readonly open: (t: Test) => (options?: BrokerOptions) => Broker
}

/** Calls `define` with a function that defines a test for every broker. */
export async function onEachBroker(define: (ask: AskEach) => void): Promise<void> {
  await withRedisUrl((url) => {
    const makers: Maker[] = [
      {
        name: 'memory',
        open() {
          let broker: MemoryBroker | undefined
          return (options) => {
            broker ??= new MemoryBroker(options)
            return broker
          }
        },
      },
      {
        name: 'SQLite',
        open(test) {
          const path = makePath(test)
          let opened = 0
          return (options) => new SQLiteBroker({ path: opened++ === 0 ? path : detour(path), ...options })
        },
      },
      {
        name: 'Redis',
        open() {
          const namespace = `features-${randomUUID()}`
          return (options) => new RedisBroker({ url, namespace, ...options })
        },
      },
    ]
    for (const { name, open } of makers) {
      define((title, answer) => {
        t.test(`${name}: ${title}`, { timeout: 60_000 }, async (test) => {
          const make = open(test)
          const broker = make()
          await answer({
            ...(stage(test, broker as MemoryBroker) as Omit<Stage, 'broker'>),
            t: test,
            broker,
            another(options) {
              const second = make(options)
              if (second !== broker) test.teardown(() => second.close())
              return second
            },
          })
        })
      })
    }
  })
}
