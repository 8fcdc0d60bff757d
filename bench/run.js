/**
 * Compares dramatis with bare loops and its peers. Each contender runs in a separate process, all in turn, for several
 * rounds. Prints medians, and the ratios within each round.
 *
 * - `memory`, `sqlite`, `redis`: messages that do nothing are sent, and then processed
 * - `idle`: one message at a time to an idle worker of a new process, with Redis; `cold` are its first 400 messages
 * - `isolated`: messages that do nothing on two threads, with Redis, compared with BullMQ's sandboxed processors
 * - `cpu`: messages of 5 ms of work on two threads, with Redis, compared with two bare threads with the same work
 *
 * $ npm run bench -- [memory] [sqlite] [redis] [idle] [isolated] [cpu] [--rounds 5] [--messages 200000]
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { calibrate } from './contenders/burn.js'
import { startRedis } from './redis-server.js'

const here = dirname(fileURLToPath(import.meta.url))
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' }, messages: { type: 'string' } },
})

const contender = (name, ...args) => [join(here, 'contenders', name), ...args]
const bare = (name, ...args) => ['--import=tsx', ...contender(name, ...args)]

const onRedis = {
  server: startRedis,
  prepare: ({ server }) => {
    server.flush()
    return { url: server.url }
  },
}

const suites = {
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
    prepare: () => {
      const folder = mkdtempSync(join(tmpdir(), 'dramatis-bench-'))
      const path = join(folder, 'queue.db')
      return { url: `sqlite:${path}`, path, clean: () => rmSync(folder, { recursive: true }) }
    },
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
}

if (!existsSync(join(here, 'node_modules'))) {
  console.log('Installing the peers …')
  execFileSync('npm', ['install', '--no-audit', '--no-fund'], { cwd: here, stdio: 'inherit' })
}

const median = (figures) => figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)]

for (const name of positionals.length > 0 ? positionals : Object.keys(suites)) {
  const {
    baseline = [],
    contenders,
    prepare,
    server: startServer,
    work,
    rates = ['enqueued', 'processed'],
  } = suites[name]
  const messages = values.messages ?? suites[name].messages ?? 200_000
  const roundsOfWork = work ? calibrate(work) : 0
  const server = await startServer?.()
  const rounds = []
  for (let round = 0; round < Number(values.rounds); round++) {
    const figures = {}
    for (const [title, command] of Object.entries(contenders)) {
      const place = prepare({ server })
      const output = execFileSync(process.execPath, command(place), {
        env: {
          ...process.env,
          DRAMATIS_URL: place.url,
          BENCH_MESSAGES: String(messages),
          BENCH_WORK: String(roundsOfWork),
          BENCH_LATENCY: server ? '1' : '',
          NODE_ENV: 'production',
        },
        stdio: ['ignore', 'pipe', 'inherit'],
        encoding: 'utf8',
      })
      place.clean?.()
      figures[title] = JSON.parse(output.trim().split('\n').at(-1))
    }
    rounds.push(figures)
  }
  await server?.stop()
  console.log(`\n${name}: ${messages} messages, medians of ${values.rounds} rounds`)
  console.table(
    Object.fromEntries(Object.keys(contenders).map((title) => [title, row(rounds, title, { baseline, rates })])),
  )
}

/** Rates per second, and their ratios to those of the others, within each round. */
function row(rounds, title, { baseline, rates }) {
  const cells = {}
  for (const what of rates) {
    if (!rounds[0][title][what]) continue
    cells[`${what}/s`] = median(rounds.map((round) => round[title][what].rate))
    cells[`${what}, µs CPU`] = round2(median(rounds.map((round) => round[title][what].cpu)))
    if (!title.startsWith('dramatis')) continue
    for (const other of baseline) {
      if (!rounds[0][other][what]) continue
      cells[`${what} ÷ ${other}`] = round2(
        median(rounds.map((round) => round[title][what].rate / round[other][what].rate)),
      )
    }
  }
  for (const name of Object.keys(rounds[0][title].latency ?? {}))
    cells[`start ${name}, ms`] = round2(median(rounds.map((round) => round[title].latency[name])))
  return cells
}

function round2(number) {
  return Number(number.toFixed(2))
}
