/** A master, its replica, and a sentinel that watches both, gone when the test file ends. */
import { once } from 'node:events'
import { until } from '../brokers/contract/exam.js'
import { type RedisServer, startRedis, withRedis } from './redis-server.js'

export interface Watched {
  /** How a client asks the sentinel where the master is. */
  readonly options: { sentinels: { host: string; port: number }[]; name: string }
  /** The server that was the master when all began. */
  readonly master: RedisServer
  readonly replica: RedisServer
  /** Waits until the replica has all that the master has. */
  replicated(): Promise<void>
  /**
   * Makes the replica the master; resolves when the sentinel has said so. The old one goes on for some seconds as if
   * nothing had happened.
   */
  failOver(): Promise<void>
}

const name = 'dramatis'
/** The replica shows what it got soon, and the sentinel looks around often. */
const quick = ['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1']

export async function withSentinel(run: (watched: Watched) => Promise<void> | void): Promise<void> {
  await withRedis(async (master) => {
    const replica = await startRedis([...quick, '--replicaof', '127.0.0.1', `${master.port}`])
    const sentinel = await startRedis(['--sentinel'], {
      config: [
        `sentinel monitor ${name} 127.0.0.1 ${master.port} 1`,
        `sentinel down-after-milliseconds ${name} 1000`,
        `sentinel failover-timeout ${name} 5000`,
      ],
    })
    const [first, second] = [master.client(), replica.client()]
    const [watcher, listener] = [sentinel.client(), sentinel.client()]
    await until(async () => /master_link_status:up/.test(await second.info('replication')), 'the replica')
    await until(
      async () => ((await watcher.call('SENTINEL', 'REPLICAS', name)) as unknown[]).length === 1,
      'the sentinel',
    )
    await run({
      options: { sentinels: [{ host: '127.0.0.1', port: sentinel.port }], name },
      master,
      replica,
      replicated: () =>
        until(async () => Number(await first.call('WAIT', '1', '1000')) > 0, 'the replica to have it all'),
      async failOver() {
        const told = once(listener, 'message')
        await listener.subscribe('+switch-master')
        // It refuses until it knows the replica well enough.
        const begin = (): Promise<unknown> => watcher.call('SENTINEL', 'FAILOVER', name)
        await until(() => begin().then(yes, no), 'the sentinel to begin')
        await told
      },
    })
  }, quick)
}

const yes = (): boolean => true
const no = (): boolean => false
