import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { getLogger, isDebugEnabled, type Logger, setLogger } from '../../lib/logger.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const logger = pathToFileURL(join(root, 'lib/logger.ts')).href
/** `script` runs a program on a terminal; the arguments are those of util-linux. */
const hasTerminal = spawnSync('script', ['-qec', 'true', '/dev/null']).status === 0
const skip = hasTerminal ? false : 'there is no script (util-linux) here'

const environment = { ...process.env, NODE_OPTIONS: '', NO_COLOR: '1', DRAMATIS_LOG_LEVEL: 'info' }

/** The folder of an application, outside this package and its node_modules. */
function application(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'dramatis-log-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}

/** The log of a program in that folder, on a terminal or to a pipe. */
function log(t: Test, cwd: string, onTerminal: boolean, before = ''): string {
  const program = `${before}\nimport { getLogger } from '${logger}'\ngetLogger().info({ threads: 2 }, 'Worker started')\n`
  writeFileSync(join(cwd, 'program.mts'), program)
  const node = [process.execPath, '--import', pathToFileURL(join(root, 'node_modules/tsx/dist/loader.mjs')).href]
  const words = [...node, join(cwd, 'program.mts')]
  const options = { cwd, encoding: 'utf8', env: environment } as const
  const { stdout, stderr, status }: SpawnSyncReturns<string> = onTerminal
    ? spawnSync('script', ['-qec', words.join(' '), '/dev/null'], options)
    : spawnSync(words[0] as string, words.slice(1), options)
  t.equal(status, 0, stdout + stderr)
  return stdout + stderr
}

t.test('on a terminal the log is formatted for reading if pino-pretty is installed', { skip }, async (t) => {
  const project = application(t)
  mkdirSync(join(project, 'node_modules'))
  symlinkSync(join(root, 'node_modules/pino-pretty'), join(project, 'node_modules/pino-pretty'))
  t.match(log(t, project, true), /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: Worker started \{"threads":2\}\s*$/)
  t.match(JSON.parse(log(t, project, false)), { msg: 'Worker started', threads: 2 }, 'otherwise it is JSON')
})

t.test('without pino-pretty the log is JSON on a terminal, too', { skip }, async (t) => {
  t.match(JSON.parse(log(t, application(t), true)), { msg: 'Worker started', threads: 2 })
})

t.test('if a supervisor replaced the write function of standard error, the log uses it', async (t) => {
  const replaced = 'process.stderr.write = (text) => process.stdout.write("captured " + text)'
  t.match(log(t, application(t), false, replaced), /^captured \{.*"Worker started"/)
})

t.test('the process waits there for its last log lines before it ends', async (t) => {
  // As in PM2: a stream that writes to a file, one chunk after the other.
  const slowly = `process.stderr.write = (text, encoding, done) => setTimeout(() => { process.stdout.write(text); done?.() }, 50)
    process.on('exit', () => console.log('ended'))
    const { flushLog } = await import('${logger}')
    setImmediate(() => flushLog().then(() => process.exit()))`
  t.match(log(t, application(t), false, slowly), /"Worker started".*\n.*ended/)
})

t.test('whether debug is enabled is known without a call to the logger each time', async (t) => {
  const before = getLogger()
  t.teardown(() => setLogger(before))
  const nowhere = { write() {} }
  const quiet = pino({ level: 'info' }, nowhere)
  setLogger(quiet)
  t.equal(isDebugEnabled(), false)
  quiet.level = 'debug'
  t.equal(isDebugEnabled(), true, 'pino reports when its level changes')
  setLogger(pino({ level: 'silent' }, nowhere))
  quiet.level = 'trace'
  t.equal(isDebugEnabled(), false, 'a replaced logger has no effect')
  const nothing = (): void => {}
  const small: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing }
  setLogger(small)
  t.equal(isDebugEnabled(), true, 'a logger without isLevelEnabled gets every line')
  setLogger({ ...small, isLevelEnabled: (level) => level !== 'debug' })
  t.equal(isDebugEnabled(), false)
})
