/**
 * What pipelines and groups write to Redis, compared with what was captured from Python: every message, and every value
 * and time to live of a barrier. The option `composition` is ours, and left out of the comparison.
 */
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { type Test, t } from 'tap'
import { RedisBroker } from '../../brokers/redis/index.js'
import { actor, remoteActor } from '../../lib/actor.js'
import { group } from '../../lib/composition/group.js'
import { groupTtl } from '../../lib/composition/group-record.js'
import { pipeline } from '../../lib/composition/pipeline.js'
import { Worker } from '../../lib/worker/worker.js'
import { until } from '../../testing/contract/brokers/exam.js'
import { captureLog } from '../support/log.js'
import { withRedis } from '../support/redis-server.js'
import { readVectors } from '../vectors.js'

captureLog()

interface Vector {
  readonly name: string
  readonly commands: readonly (readonly string[])[]
}

interface Written {
  /** Bodies, with the key of their hash. */
  readonly messages: string[]
  /** Values of barriers, with their time to live. */
  readonly barriers: string[][]
}

await withRedis((server) => {
  const redis = server.client()
  const { url } = server
  t.beforeEach(() => redis.flushdb() as unknown as Promise<void>)

  /** Actors as a program knows them that only sends: they may run in Python. */
  const sender = (t: Test) => {
    const broker = new RedisBroker({ url, delayQueue: 'dramatiq' })
    t.teardown(() => broker.close())
    return {
      add: remoteActor<number[], number>('add', { broker }),
      mul: remoteActor<number[], number>('mul', { broker, queueName: 'other' }),
      boom: remoteActor<number[], number>('boom', { broker }),
      after: remoteActor<[string], string>('after', { broker }),
      ignored: remoteActor<[], number>('produce_ignored', { broker }),
    }
  }
  type Actors = ReturnType<typeof sender>

  const work = async (t: Test): Promise<RedisBroker> => {
    const broker = new RedisBroker({ url, delayQueue: 'dramatiq' })
    actor((x: number, y: number) => x + y, { broker, actorName: 'add' })
    actor((x: number, y: number) => x * y, { broker, actorName: 'mul', queueName: 'other' })
    actor((text: string) => text, { broker, actorName: 'after' })
    actor(() => 1, { broker, actorName: 'produce_ignored', pipeIgnore: true })
    actor(() => Promise.reject(new Error('stop')), { broker, actorName: 'boom', maxRetries: 0 })
    const worker = new Worker(broker, { threads: 0, concurrency: 1 })
    await worker.start()
    t.teardown(async () => {
      await worker.stop({ timeout: 0 })
      await broker.close()
    })
    return broker
  }

  const finish = async (broker: RedisBroker): Promise<void> => {
    for (const queue of ['default', 'other', 'default']) await broker.join(queue, { timeout: '20s' })
  }

  /** What is written while something runs. */
  const record = async (t: Test, run: () => Promise<unknown>): Promise<Written> => {
    const monitor = connect(server.port, '127.0.0.1')
    t.teardown(() => monitor.destroy())
    const lines: string[] = []
    createInterface({ input: monitor }).on('line', (line) => lines.push(line))
    monitor.write('MONITOR\r\n')
    await until(() => lines.length > 0, 'the monitor')
    await run()
    const end = `end ${Math.random()}`
    await redis.echo(end)
    await until(() => lines.some((line) => line.includes(end)), 'the last command')
    return written(lines.map(readCommand))
  }

  const cases: Record<string, (actors: Actors) => Promise<unknown>> = {
    three_steps: ({ add, mul }) => pipeline([add.message(1, 2), mul.message(10), add.message(5)]).run(),
    pipe_operator_and_nested: ({ add }) =>
      add
        .message(1, 1)
        .pipe(add.message(2).pipe(add.message(3)))
        .run(),
    pipe_ignore_on_target: ({ add }) =>
      pipeline([add.message(1, 2), add.messageWithOptions({ args: [3, 4], pipeIgnore: true })]).run(),
    pipe_ignore_on_producing_actor: ({ add, ignored }) => ignored.message().pipe(add.message(3, 4)).run(),
    failure_stops_the_chain: ({ add, boom }) => boom.message(1).pipe(add.message(1)).run(),
    delay_option_of_a_step: ({ add }) =>
      pipeline([add.message(1, 2), add.messageWithOptions({ args: [10], delay: 150 })]).run(),
    run_with_delay: ({ add }) => add.message(1, 2).pipe(add.message(3)).run({ delay: 100 }),
    plain_group: ({ add }) => group([add.message(1, 2), add.message(3, 4)]).run(),
    completion_callbacks: ({ add, after }) =>
      group([add.message(1, 2), add.message(3, 4), add.message(5, 6)], { onComplete: after.message('one') })
        .addCompletionCallback(after.message('two'))
        .run(),
    pipeline_in_group: ({ add, after }) =>
      group([add.message(1, 2).pipe(add.message(10)), add.message(3, 4)])
        .addCompletionCallback(after.message('done'))
        .run(),
    failed_child: ({ add, boom, after }) =>
      group([add.message(1, 2), boom.message(0)])
        .addCompletionCallback(after.message('never'))
        .run(),
    group_delay: ({ add }) => group([add.message(1, 2), add.message(3, 4)]).run({ delay: 60_000 }),
  }

  const vectors = ['redis-pipelines', 'redis-groups'].flatMap((name) => readVectors<Vector>(name).cases)
  for (const { name, commands } of vectors) {
    const theirs = written(commands)
    const run = cases[name]
    if (run) {
      t.test(`${name}: we write what Python writes`, async (t) => {
        const actors = sender(t)
        const ours = await record(t, async () => {
          await run(actors)
          if (name !== 'group_delay') await finish(await work(t))
        })
        t.same(ours, theirs)
      })
    }
    if (name === 'group_delay') continue
    t.test(`${name}: what Python sent, we run as Python does`, async (t) => {
      const workers = commands.findIndex(([command]) => command === 'sadd')
      const ours = await record(t, async () => {
        for (const [command = '', ...rest] of commands.slice(0, workers)) await redis.call(command, ...rest)
        await finish(await work(t))
      })
      t.same(ours, theirs)
    })
  }

  t.test('a group whose members all run here has no barrier, and its messages no options of Dramatiq', async (t) => {
    const broker = await work(t)
    const [add, after] = ['add', 'after'].map((name) => broker.actors.get(name)) as unknown as [
      Actors['add'],
      Actors['after'],
    ]
    const { messages, barriers } = await record(t, async () => {
      await group([add.message(1, 2), add.message(3, 4)], { onComplete: after.message('done') }).run()
      await finish(broker)
    })
    t.equal(messages.length, 3)
    t.notMatch(messages.join(), /group_completion/)
    t.same(barriers, [])
  })
})

// — Internal helpers ———————————————————————————————————————————————————————————————————————————————————————

/** The name and the arguments of a command in a line of MONITOR. */
function readCommand(line: string): string[] {
  const quoted = line.match(/"(?:[^"\\]|\\.)*"/g) ?? []
  const readable = (text: string): string => text.replace(/\\(?:x..|.)/g, (part) => (/["\\]$/.test(part) ? part : '?'))
  return quoted.map((text) => JSON.parse(readable(text)))
}

/** The messages and barriers among commands. Ids are numbered in the order in which they come. */
function written(commands: readonly (readonly string[])[]): Written {
  const ids: string[] = []
  const numbered = (text: string): string =>
    text.replace(/[\da-f]{8}-[\da-f-]{27}/g, (id) => {
      if (!ids.includes(id)) ids.push(id)
      return `id ${ids.indexOf(id)}`
    })
  const messages: string[] = []
  const barriers: string[][] = []
  for (const [name = '', key = '', ...rest] of commands) {
    const command = name.toLowerCase()
    if (command === 'hset' && /^dramatiq:[\w.]+\.msgs$/.test(key)) {
      const bodies = rest.filter((_, index) => index % 2 === 1)
      messages.push(...bodies.map((body) => `${key} ${numbered(JSON.stringify(JSON.parse(body, withoutOurs)))}`))
    } else if (isId(key)) {
      const [value = '', , ttl] = rest
      if (command === 'set') barriers.push([numbered(key), value, ...(ttl === undefined ? [] : [dramatiqTtl(ttl)])])
      if (command === 'pexpire') barriers.at(-1)?.push(dramatiqTtl(value))
    }
  }
  return { messages, barriers }
}

/** A value without our option, and without what differs in every run. */
function withoutOurs(field: string, value: unknown): unknown {
  if (field === 'redis_message_id' || field === 'composition') return undefined
  return field === 'message_timestamp' || field === 'eta' ? 0 : value
}

function isId(text: string): boolean {
  return /^[\da-f]{8}-[\da-f-]{27}$/.test(text)
}

/** A barrier of ours is kept longer than a day: a member may wait for a retry for a week. */
function dramatiqTtl(ttl: string): string {
  return ttl === `${groupTtl.open}` ? '86400000' : ttl
}
