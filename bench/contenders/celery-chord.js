/**
 * Celery's chord: its members run in two worker processes (of a machine with two cores), its producer is another one.
 * Debian's packages are installed where that can be done; elsewhere it is skipped.
 */
import { spawn, spawnSync } from 'node:child_process'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { report } from './report.js'

const here = dirname(fileURLToPath(import.meta.url))

const findPython = () =>
  ['python3', '/usr/bin/python3'].find(
    (python) => spawnSync(python, ['-c', 'import celery, redis'], { stdio: 'ignore' }).status === 0,
  )

function install() {
  if (process.getuid?.() !== 0) return
  const run = (...args) => spawnSync('apt-get', args, { stdio: ['ignore', 2, 2] }).status === 0
  if (run('update')) run('install', '-y', '--no-install-recommends', 'python3-celery', 'python3-redis')
}

if (!findPython()) install()
const python = findPython()
if (!python) await report({ skipped: 'there is no Celery: apt-get install python3-celery python3-redis' })

const options = { cwd: here, env: { ...process.env, CELERY_URL: process.argv[2] } }
const flags = ['--concurrency=2', '--without-gossip', '--without-mingle', '--without-heartbeat', '--loglevel=error']
const worker = spawn(python, ['-m', 'celery', '-A', 'celery_chord', 'worker', ...flags], {
  ...options,
  stdio: 'ignore',
})
const { stdout, status } = spawnSync(python, ['celery_chord.py'], {
  ...options,
  stdio: ['ignore', 'pipe', 'inherit'],
  encoding: 'utf8',
})
worker.kill()
await report(status === 0 ? JSON.parse(stdout) : { skipped: 'its program failed' })
