/**
 * Sees to it that the tests find a redis-server: run before them, it installs one where it can, and says so. Does
 * nothing where there is one already, or where REDIS_URL names one.
 */
import { spawnSync } from 'node:child_process'

const has = (command, argument = '--version') => !spawnSync(command, [argument], { stdio: 'ignore' }).error

function run(command, ...args) {
  console.log(`$ ${command} ${args.join(' ')}`)
  return spawnSync(command, args, { stdio: 'inherit' }).status === 0
}

function install() {
  if (process.platform === 'darwin' && has('brew')) return run('brew', 'install', 'redis')
  if (process.platform !== 'linux' || !has('apt-get')) return false
  const root = process.getuid?.() === 0
  if (!root && spawnSync('sudo', ['-n', 'true']).status !== 0) return false
  const as = root ? [] : ['sudo']
  // The package starts a service on the usual port; the tests start their own and need none.
  const settings = ['RUNLEVEL=1', 'DEBIAN_FRONTEND=noninteractive']
  const apt = (...args) => run(...as, 'env', ...settings, 'apt-get', ...args)
  return apt('update') && apt('install', '-y', '--no-install-recommends', 'redis-server')
}

if (!process.env.REDIS_URL && !has('redis-server')) {
  console.log('The tests of the Redis broker need a redis-server, and there is none: installing it.')
  if (!install() || !has('redis-server')) {
    console.log('It could not be installed: those tests are skipped, and in CI they fail.')
    console.log('Put a redis-server on the PATH: apt-get install redis-server, or brew install redis.')
  }
}
