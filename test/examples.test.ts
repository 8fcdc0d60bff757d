/**
 * The examples, run as a reader would run them. Needs `dist/` (npm run build), which they import by the package's name.
 */
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { cleanEnv, run, start } from './package/shell.js'

const repository = fileURLToPath(new URL('..', import.meta.url))
const quickstart = fileURLToPath(new URL('../examples/quickstart/', import.meta.url))

t.setTimeout(180_000)

t.test('npm run quickstart', async (t) => {
  const { code, out, err } = await run('npm', ['run', '--silent', 'quickstart'], { cwd: repository })
  t.equal(code, 0, 'exit code', { err })
  t.equal(err, '')
  const [, count] = /^(\d+) messages in [\d.]+ s, \d+ a second$/m.exec(out) ?? []
  t.ok(Number(count) > 500, 'some hundreds of messages')
  t.match(out, `${count}/${count} messages\n`, 'progress is printed in lines if the output is not a terminal')
  for (const kind of ['readme', 'licence', 'declarations']) {
    t.match(out, new RegExp(`│ ${kind} +│ +\\d+ │ +[\\d,]+ │ +[\\d,]+ KiB │ +\\d+ % │ \\w+`), kind)
  }
  t.match(out, 'done at attempt 3')
  t.match(out, 'stopped by its time limit: TimeLimitExceeded')
})

t.test('quickstart: a worker that dies ends it, with the reason', async (t) => {
  const env = { ...cleanEnv, DRAMATIS_LOG_LEVEL: 'shout' }
  const { code, err } = await run('node', ['run.js'], { cwd: quickstart, env })
  t.equal(code, 1)
  t.match(err, 'The worker ended with code 1 before its work was done.')
  t.match(err, 'shout')
})

t.test('quickstart: a producer that is stopped takes the worker with it', async (t) => {
  const process = start(t, 'node', ['run.js'], { cwd: quickstart })
  await process.printed
  t.equal(await process.stop(), 1)
})
