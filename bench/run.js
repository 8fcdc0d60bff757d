/**
 * Measures dramatis beside bare loops and its peers: every contender a process of its own, all of them in turn, so many
 * rounds; medians, and ratios taken within each round.
 *
 * $ npm run bench -- [memory] [sqlite] [redis] [--rounds 5] [--messages 200000]
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startRedis } from './redis-server.js'

const here = dirname(fileURLToPath(import.meta.url))
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' }, messages: { type: 'string', default: '200000' } },
})

const contender = (name, ...args) => [join(here, 'contenders', name), ...args]
const bare = (name, ...args) => ['--import=tsx', ...contender(name, ...args)]

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
    server: startRedis,
    prepare: ({ server }) => {
      server.flush()
      return { url: server.url }
    },
  },
}

if (!existsSync(join(here, 'node_modules'))) {
  console.log('Installing the peers …')
  execFileSync('npm', ['install', '--no-audit', '--no-fund'], { cwd: here, stdio: 'inherit' })
}

const median = (figures) => figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)]

for (const name of positionals.length > 0 ? positionals : Object.keys(suites)) {
  const { baseline = [], contenders, prepare, server: startServer } = suites[name]
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
          BENCH_MESSAGES: values.messages,
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
  console.log(`\n${name}: ${values.messages} messages, medians of ${values.rounds} rounds`)
  console.table(Object.fromEntries(Object.keys(contenders).map((title) => [title, row(rounds, title, baseline)])))
}

/** Rates a second, and their ratios to the others', taken within each round. */
function row(rounds, title, baseline) {
  const cells = {}
  for (const what of ['enqueued', 'processed']) {
    cells[`${what}/s`] = median(rounds.map((round) => round[title][what].rate))
    cells[`${what}, µs CPU`] = round2(median(rounds.map((round) => round[title][what].cpu)))
    if (!title.startsWith('dramatis')) continue
    for (const other of baseline) {
      cells[`${what} ÷ ${other}`] = round2(
        median(rounds.map((round) => round[title][what].rate / round[other][what].rate)),
      )
    }
  }
  if (rounds[0][title].latency) {
    for (const p of ['p50', 'p99'])
      cells[`start ${p}, ms`] = round2(median(rounds.map((round) => round[title].latency[p])))
  }
  return cells
}

function round2(number) {
  return Number(number.toFixed(2))
}
