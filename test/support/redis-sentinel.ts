/** A master, its replica, and a sentinel that watches both, stopped when the test file ends. */
import { once } from 'node:events'
import { until } from '../../testing/contract/brokers/exam.js'
import { type RedisServer, startRedis, withRedis } from './redis-server.js'

export interface Watched {
  /** The options with which a client queries the sentinel for the master. */
  readonly options: { sentinels: { host: string; port: number }[]; name: string }
  /** The server that is the master at first. */
  readonly master: RedisServer
  readonly replica: RedisServer
  /** Waits until the replica has all that the master has. */
  replicated(): Promise<void>
  /**
   * Makes the replica the master; resolves when the sentinel has announced it. The old master continues for some
   * seconds as before.
   */
  failOver(): Promise<void>
}

const name = 'dramatis'
/** Makes the replica report its progress soon, and the sentinel check often. */
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
        const announced = once(listener, 'message')
        await listener.subscribe('+switch-master')
        // It refuses until it knows the replica well enough.
        const begin = (): Promise<unknown> => watcher.call('SENTINEL', 'FAILOVER', name)
        await until(() => begin().then(yes, no), 'the sentinel to begin')
        await announced
      },
    })
  }, quick)
}

const yes = (): boolean => true
const no = (): boolean => false
