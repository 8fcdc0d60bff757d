/** What is compared: for each suite its contenders, each a command that prints its figures, and where they work. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startRedis } from './redis-server.js'

const here = dirname(fileURLToPath(import.meta.url))
const contender = (name, ...args) => [join(here, 'contenders', name), ...args]
const bare = (name, ...args) => ['--import=tsx', ...contender(name, ...args)]

const onRedis = {
  server: startRedis,
  prepare: ({ server }) => {
    server.flush()
    return { url: server.url }
  },
}

const onSQLite = {
  prepare: () => {
    const folder = mkdtempSync(join(tmpdir(), 'dramatis-bench-'))
    const path = join(folder, 'queue.db')
    return { url: `sqlite:${path}`, path, clean: () => rmSync(folder, { recursive: true }) }
  },
}

export const suites = {
  memory: {
    contenders: {
      'dramatis, inline': () => contender('dramatis.js', '0'),
      'dramatis, one thread': () => contender('dramatis.js', '1'),
    },
    prepare: () => ({ url: 'memory:' }),
  },
  sqlite: {
    baseline: ['bare loop', 'plainjobs'],
    contenders: {
      'bare loop': () => bare('bare-sqlite.ts'),
      'dramatis, inline': () => contender('dramatis.js', '0'),
      'dramatis, one thread': () => contender('dramatis.js', '1'),
      plainjobs: ({ path }) => contender('plainjobs.js', path),
    },
    ...onSQLite,
  },
  redis: {
    baseline: ['bare loop', 'BullMQ', 'bee-queue'],
    contenders: {
      'bare loop': ({ url }) => bare('bare-redis.ts', url),
      'dramatis, inline': () => contender('dramatis.js', '0'),
      'dramatis, one thread': () => contender('dramatis.js', '1'),
      BullMQ: ({ url }) => contender('bullmq.js', url),
      'bee-queue': ({ url }) => contender('bee-queue.js', url),
    },
    ...onRedis,
  },
  idle: {
    contenders: {
      'dramatis, inline': () => contender('dramatis.js', '0'),
      BullMQ: ({ url }) => contender('bullmq.js', url),
      'bee-queue': ({ url }) => contender('bee-queue.js', url),
    },
    messages: 1,
    rates: [],
    ...onRedis,
  },
  isolated: {
    baseline: ['BullMQ, two threads', 'BullMQ, two processes'],
    contenders: {
      'dramatis, two threads': () => contender('dramatis.js', '2'),
      'BullMQ, two threads': ({ url }) => contender('bullmq-sandboxed.js', url, 'threads'),
      'BullMQ, two processes': ({ url }) => contender('bullmq-sandboxed.js', url, 'processes'),
    },
    messages: 20_000,
    ...onRedis,
  },
  cpu: {
    baseline: ['two bare threads', 'BullMQ, two threads'],
    contenders: {
      'two bare threads': () => contender('bare-threads.js'),
      'dramatis, two threads': () => contender('dramatis.js', '2', '8'),
      'BullMQ, two threads': ({ url }) => contender('bullmq-sandboxed.js', url, 'threads'),
    },
    messages: 2000,
    work: 5,
    ...onRedis,
  },
  'groups-redis': {
    baseline: ['bare loop', 'dramatis, no group', 'BullMQ, flow', 'Celery, chord'],
    contenders: {
      'bare loop': ({ url }) => bare('bare-group.ts', url),
      'dramatis, no group': () => contender('dramatis-group.js', 'plain'),
      'dramatis, group': () => contender('dramatis-group.js', 'group'),
      'BullMQ, flow': ({ url }) => contender('bullmq-flow.js', url),
      'Celery, chord': ({ url }) => contender('celery-chord.js', url),
    },
    messages: 10_000,
    ...onRedis,
  },
  'groups-sqlite': {
    baseline: ['dramatis, no group'],
    contenders: {
      'dramatis, no group': () => contender('dramatis-group.js', 'plain'),
      'dramatis, group': () => contender('dramatis-group.js', 'group'),
    },
    messages: 10_000,
    ...onSQLite,
  },
  'unique-redis': {
    baseline: ['dramatis, plain', 'BullMQ, plain', 'BullMQ, deduplication', 'BullMQ, debounce'],
    contenders: {
      'dramatis, plain': () => contender('dramatis-unique.js', 'plain'),
      'dramatis, skip': () => contender('dramatis-unique.js', 'skip'),
      'dramatis, replace': () => contender('dramatis-unique.js', 'replace'),
      'BullMQ, plain': ({ url }) => contender('bullmq-unique.js', url, 'plain'),
      'BullMQ, deduplication': ({ url }) => contender('bullmq-unique.js', url, 'skip'),
      'BullMQ, debounce': ({ url }) => contender('bullmq-unique.js', url, 'replace'),
    },
    messages: 10_000,
    ...onRedis,
  },
  'unique-sqlite': {
    baseline: ['dramatis, plain'],
    contenders: {
      'dramatis, plain': () => contender('dramatis-unique.js', 'plain'),
      'dramatis, skip': () => contender('dramatis-unique.js', 'skip'),
      'dramatis, replace': () => contender('dramatis-unique.js', 'replace'),
    },
    messages: 10_000,
    ...onSQLite,
  },
}

/** Programs that measure one feature by themselves, and print their own tables. */
const programs = { cancel: 'cancel.ts', progress: 'progress.ts' }

export function programOf(name) {
  return name in programs ? ['--import=tsx', join(here, 'features', programs[name])] : undefined
}

/** Whether there is a program of that name yet. */
function isWritten(name) {
  return existsSync(join(here, 'features', programs[name]))
}

/** Names for several suites. */
const groups = {
  groups: ['groups-redis', 'groups-sqlite'],
  unique: ['unique-redis', 'unique-sqlite'],
}

export function namesOf(name) {
  if (name !== 'features') return groups[name] ?? [name]
  return [...Object.values(groups).flat(), ...Object.keys(programs).filter(isWritten)]
}
