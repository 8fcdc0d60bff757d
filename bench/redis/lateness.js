/**
 * The memory that a million messages due tomorrow cost a worker, and how late messages start that are due soon, with
 * all the others behind them. Two worker processes, inline, and one that sends.
 *
 * $ node bench/redis/lateness.js [1000000]
 */
process.env.DRAMATIS_LOG_LEVEL ??= 'warn'

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { actor, getBroker, Worker } from '../../dist/lib/index.js'
import { payload } from '../contenders/report.js'
import { startRedis } from '../redis-server.js'
import { fill } from './fill.js'

const far = actor(async function far() {})
const near = actor(async function near(due) {
  process.send({ late: Date.now() - due })
})

if (process.send) await beWorker()
else await measure(Number(process.argv[2] ?? 1_000_000))

/** A worker in a separate process, which reports its memory in use on request. */
async function beWorker() {
  const broker = getBroker()
  const worker = new Worker(broker, { threads: 0, concurrency: 100 })
  process.on('message', async (request) => {
    if (request === 'memory') {
      globalThis.gc()
      process.send({ memory: process.memoryUsage() })
    } else {
      await worker.stop()
      await broker.close()
      process.disconnect()
    }
  })
  await worker.start()
  process.send({ started: true })
}

async function measure(count) {
  const server = await startRedis()
  process.env.DRAMATIS_URL = server.url
  const broker = getBroker()

  const before = await memoryOfWorker()
  const startedAt = performance.now()
  await fill(broker, count, () => far.message(payload), '1d')
  const seconds = (performance.now() - startedAt) / 1000
  console.log(`${count} delayed messages stored in ${seconds.toFixed(1)} s`)
  const after = await memoryOfWorker()
  for (const [kind, name] of [
    ['heapUsed', 'heap in use'],
    ['rss', 'resident memory'],
  ]) {
    const [without, and] = [before[kind], after[kind]].map((bytes) => bytes / 2 ** 20)
    const more = (and - without).toFixed(1)
    console.log(`worker, ${name}: ${without.toFixed(1)} MB without them, ${and.toFixed(1)} MB with them (${more} more)`)
  }

  const workers = await Promise.all([startWorker(), startWorker()])
  await wait(2000)
  const spread = await lateness(workers, 1000, async (send) => {
    await Promise.all(Array.from({ length: 1000 }, () => send(200 + Math.random() * 3000)))
  })
  console.log(`1000 due within three seconds, sent at once: late by ${spread}`)
  const nearer = await lateness(workers, 200, async (send, started) => {
    for (let round = 0; round < 200; round++) {
      // Both are idle, and wait for the messages that are due tomorrow.
      await wait(20)
      await send(10 + Math.random() * 60)
      await started()
    }
  })
  console.log(`200 due within 70 ms, each to workers that were idle: late by ${nearer}`)

  for (const worker of workers) await stopWorker(worker)
  await broker.close()
  await server.stop()
}

/** The memory in use of a worker that has run for a few seconds. */
async function memoryOfWorker() {
  const worker = await startWorker()
  await wait(4000)
  worker.send('memory')
  const { memory } = await message(worker, 'memory')
  await stopWorker(worker)
  return memory
}

/** Sends messages that are due soon; returns how late they started, in milliseconds. */
async function lateness(workers, count, run) {
  const late = []
  let onStart = () => {}
  const hear = (said) => {
    late.push(said.late)
    onStart()
  }
  for (const worker of workers) worker.on('message', hear)
  const send = async (delay) => {
    const milliseconds = Math.round(delay)
    const due = Date.now() + milliseconds
    await near.sendWithOptions({ args: [due], delay: milliseconds })
  }
  const reach = async (number) => {
    while (late.length < number)
      await new Promise((resolve) => {
        onStart = resolve
      })
  }
  let rounds = 0
  await run(send, () => reach(++rounds))
  await reach(count)
  for (const worker of workers) worker.off('message', hear)
  late.sort((a, b) => a - b)
  const at = (share) => late[Math.min(late.length - 1, Math.floor(late.length * share))]
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, at most ${late.at(-1)} ms`
}

async function startWorker() {
  const worker = fork(fileURLToPath(import.meta.url), [], { execArgv: ['--expose-gc'] })
  await message(worker, 'started')
  return worker
}

async function stopWorker(worker) {
  const ended = once(worker, 'exit')
  worker.send('stop')
  await ended
}

/** The next report of that kind from a worker. */
function message(worker, kind) {
  return new Promise((resolve, reject) => {
    worker.once('exit', () => reject(new Error('A worker ended early.')))
    worker.on('message', function hear(said) {
      if (said[kind] === undefined) return
      worker.off('message', hear)
      resolve(said)
    })
  })
}
