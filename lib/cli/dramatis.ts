#!/usr/bin/env node
import { createRequire } from 'node:module'
/** `dramatis ./actors.js`: a worker without a script of its own. */
import { Command, InvalidArgumentError } from 'commander'
import { loggable } from '../failure.js'
import { flushLog, getLogger } from '../logger.js'
// Through the entry point, so that there is a default broker.
import '../index.js'
import { runWorker } from '../worker/run-worker.js'
import { loadError } from '../worker/startup/load-hints.js'
import { readModules, type WorkerOptions } from '../worker/worker-options.js'

const { version } = createRequire(import.meta.url)('dramatis/package.json') as { version: string }

interface Flags extends Pick<WorkerOptions, 'threads' | 'concurrency' | 'prefetch' | 'shutdownTimeout' | 'maxMemory'> {
  queues?: string[]
}

const program = new Command('dramatis')
  .description('Runs the actors that the given modules declare, for the messages on their queues.')
  .version(version)
  .argument('<modules...>', 'modules that declare the actors: paths, or names of packages')
  .option(
    '-t, --threads <number>',
    'threads that run actors; 0 runs them on the main thread (default: the number of cores)',
    wholeNumber,
  )
  .option('-c, --concurrency <number>', 'messages each thread runs at once (default: 8)', wholeNumber)
  .option('-q, --queues <names>', 'queues to consume, comma-separated (default: those of all actors)', list)
  .option(
    '-p, --prefetch <number>',
    'messages of a queue to hold at most (default: by the pace of the messages)',
    wholeNumber,
  )
  .option(
    '--shutdown-timeout <duration>',
    'how long running messages may take to finish when the worker stops (default: 25s)',
  )
  .option('--max-memory <megabytes>', 'memory a thread may use before it is replaced (default: no limit)', wholeNumber)
  .addHelpText(
    'after',
    '\nThe broker is the one that a module gives to setBroker(), else the one that DRAMATIS_URL names\n' +
      '(sqlite:path, redis://…, memory:), else the SQLite file ./dramatis.db. DRAMATIS_LOG_LEVEL sets how much is logged.',
  )
  .action(async (modules: string[], flags: Flags) => {
    const urls = readModules(modules)
    for (const [index, url] of urls.entries()) {
      try {
        await import(url)
      } catch (error) {
        const { message } = loadError(modules[index] as string, error)
        getLogger().error({ err: loggable(error) }, message)
        await flushLog()
        process.exit(1)
      }
    }
    await runWorker({
      ...flags,
      modules: urls,
    })
  })

await program.parseAsync()

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Expected a whole number from 0 up.')
  return Number(text)
}

function list(text: string): string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}
