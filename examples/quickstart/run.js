/**
 * `npm run quickstart`: runs in one terminal what you would run in two. Starts a worker and a producer as separate
 * processes on a SQLite file in a temporary folder, stops the worker when the producer has finished, and cleans up.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = mkdtempSync(join(tmpdir(), 'dramatis-quickstart-'))
const logFile = join(folder, 'worker.log')
const log = openSync(logFile, 'a')

const worker = start('worker.js', ['ignore', log, log])
const producer = start('producer.js', 'inherit')

// Ctrl-C also reaches the worker and the producer; a SIGTERM doesn't. Here signals must only not prevent the cleanup.
let interrupted
process.on('SIGINT', (signal) => {
  interrupted = signal
})
process.on('SIGTERM', (signal) => {
  interrupted = signal
  producer.process.kill()
})

try {
  const failure = await Promise.race([
    producer.ended.then((how) => how !== 'code 0' && `The producer ended with ${how}.`),
    worker.ended.then((how) => `The worker ended with ${how} before its work was done.`),
  ])
  producer.process.kill()
  // A second signal would end it immediately, in the middle of its work.
  if (interrupted !== 'SIGINT') worker.process.kill('SIGTERM')
  const goodbye = await worker.ended
  if (interrupted) process.exitCode = 1
  else if (failure) fail(failure)
  else if (goodbye !== 'code 0') fail(`The worker did not stop gracefully; it ended with ${goodbye}.`)
} finally {
  closeSync(log)
  rmSync(folder, { recursive: true, force: true })
}

function start(script, stdio) {
  const path = fileURLToPath(new URL(script, import.meta.url))
  const env = { ...process.env, DRAMATIS_URL: `sqlite:${join(folder, 'dramatis.db')}` }
  const child = spawn(process.execPath, [path], { env, stdio })
  return { process: child, ended: once(child, 'exit').then(([code, signal]) => (signal ? signal : `code ${code}`)) }
}

function fail(reason) {
  console.error(`\n${reason} The worker's log:\n${readFileSync(logFile, 'utf8')}`)
  process.exitCode = 1
}
