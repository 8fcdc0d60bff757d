/** The broker contract on a Redis Cluster, in a namespace that keeps all keys in one slot. */
import { randomUUID } from 'node:crypto'
import { t } from 'tap'
import { RedisBroker, RedisRateLimits, RedisResults } from '../../brokers/redis/index.js'
import { actor, remoteActor } from '../../lib/actor.js'
import { group } from '../../lib/composition/group.js'
import { Message } from '../../lib/message.js'
import { Worker } from '../../lib/worker/worker.js'
import { inTime, note, queueName, until } from '../../testing/contract/brokers/exam.js'
import { brokerContract } from '../../testing/contract/index.js'
import { stepClock } from '../../testing/contract/step-clock.js'
import { test } from '../support/contract.js'
import { openProxy } from '../support/redis-brokers.js'
import { leaveToDeadWorker } from '../support/redis-dead-worker.js'
import { withRedis } from '../support/redis-server.js'

await withRedis(
  async (server) => {
    const redis = server.client()
    await redis.call('CLUSTER', 'ADDSLOTS', ...Array.from({ length: 16_384 }, (_, slot) => `${slot}`))
    await until(async () => /cluster_state:ok/.test(`${await redis.cluster('INFO')}`), 'the cluster')
    const nodes = [{ host: '127.0.0.1', port: server.port }]
    // A new process waits this long before it declares another worker dead.
    const settings = { nodes, heartbeatTimeout: '1s' } as const

    brokerContract({
      test,
      name: 'RedisBroker on a cluster',
      make: (options) => new RedisBroker({ ...settings, namespace: `{${randomUUID()}}`, ...options }),
      another: (broker, options) =>
        new RedisBroker({ ...settings, namespace: (broker as RedisBroker).namespace, ...options }),
      async crash(broker) {
        const { namespace, workerId } = broker as RedisBroker
        await leaveToDeadWorker(redis, namespace, workerId)
      },
    })

    t.test('waits find results in all slots of a cluster', async (t) => {
      const results = new RedisResults({ nodes })
      t.teardown(() => results.close())
      const messages = Array.from({ length: 50 }, () => new Message({ queueName: 'q', actorName: 'a', args: [] }))
      const waiting = Promise.all(messages.map((message) => results.get(message, { timeout: '10s' })))
      await Promise.all(messages.map((message, index) => results.storeResult(message, index, 60_000)))
      t.same(
        await inTime(waiting, 'the results'),
        messages.map((_, index) => index),
      )
    })

    t.test('an idle connection to a node that was silently dropped is replaced', async (t) => {
      const { proxy, url } = await openProxy(t, server)
      const { port } = new URL(url)
      const natMap = { [`127.0.0.1:${server.port}`]: { host: '127.0.0.1', port: Number(port) } }
      const namespace = `{${randomUUID()}}`
      const broker = new RedisBroker({ nodes: [`127.0.0.1:${port}`], cluster: { natMap }, namespace, middleware: [] })
      t.teardown(() => broker.close())
      await broker.enqueue(note('first'))
      stepClock(t, 60_000)
      proxy.freeze()
      await t.resolves(broker.enqueue(note('second')))
      t.match(await broker.stats(queueName), { ready: 2 })
    })

    t.test('a group whose members are declared elsewhere completes on a cluster', async (t) => {
      const settings = { nodes, namespace: `{${randomUUID()}}` }
      const [web, broker] = [new RedisBroker(settings), new RedisBroker(settings)]
      let reports = 0
      actor(() => {}, { broker, actorName: 'job' })
      actor(() => void reports++, { broker, actorName: 'report' })
      const worker = new Worker(broker, { threads: 0 })
      t.teardown(async () => {
        await worker.stop({ timeout: 0 })
        for (const one of [web, broker]) await one.close()
      })
      const [job, report] = [remoteActor('job', { broker: web }), remoteActor('report', { broker: web })]
      const jobs = group([job.message(), job.message()], { onComplete: report.message() })
      await jobs.run()
      await worker.start()
      t.equal(await jobs.wait(), 'completed')
      await broker.join('default')
      t.equal(reports, 1)
    })

    t.test('unique messages are skipped and replaced on a cluster', async (t) => {
      const broker = new RedisBroker({ ...settings, namespace: `{${randomUUID()}}` })
      t.teardown(() => broker.close())
      const ran: string[] = []
      const job = actor((_key: string, text: string) => void ran.push(text), {
        broker,
        actorName: 'job',
        unique: { key: (key) => key },
      })
      await job.send('a', 'first')
      t.equal((await job.send('a', 'second')).deduplicated, 'skipped')
      const replaced = await job.sendWithOptions({ args: ['a', 'third'], unique: { onDuplicate: 'replace' } })
      t.equal(replaced.deduplicated, 'replaced')
      const worker = new Worker(broker, { threads: 0 })
      t.teardown(() => worker.stop())
      await worker.start()
      await broker.join('default', { timeout: '20s' })
      t.same(ran, ['third'])
      t.equal((await job.send('a', 'again')).deduplicated, false)
    })

    t.test('rate limits with a hash tag work on a cluster', async (t) => {
      const limits = new RedisRateLimits({ nodes })
      t.teardown(() => limits.close())
      const keys = ['{win}@3', '{win}@2', '{win}@1']
      t.equal(await limits.incrAndSum('{win}@3', keys, 1, 1, 60_000), true)
      t.equal(await limits.incrAndSum('{win}@3', keys, 1, 1, 60_000), false)
    })
  },
  ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'],
)
