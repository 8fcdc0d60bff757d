/** The `dramatis` command, in a separate process. */
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { type Child, type Scene, scene } from './support/processes/child.js'

const command = fileURLToPath(new URL('../lib/cli/dramatis.ts', import.meta.url))
const actors = fileURLToPath(new URL('./support/processes/actors.ts', import.meta.url))
const broken = fileURLToPath(new URL('./support/processes/broken.ts', import.meta.url))
const patience = { timeout: '30s' } as const

function dramatis({ run }: Scene, ...args: string[]): Child {
  return run(command, ...args)
}

t.test('it runs the actors of a module on threads, and stops gracefully', async (t) => {
  const stage = scene(t)
  const where = await stage.actor<{ isMainThread: boolean }>('where').send()
  const worker = dramatis(stage, actors, '--threads', '2', '--concurrency', '3')
  t.match(await where.result(patience), { isMainThread: false, pid: worker.pid })
  t.match(await worker.logged(/^Worker started/), { threads: 2, concurrency: 3, queues: ['default', 'mail'] })
  worker.kill('SIGTERM')
  t.same(await worker.ended, [0, null])
  t.ok(
    worker.log.every(({ level, time, msg }) => level && time && msg),
    'the log is JSON lines on standard error',
  )
  t.equal(worker.output, '')
})

t.test('--threads 0 runs actors on the main thread, --queues limits the queues', async (t) => {
  const stage = scene(t)
  const worker = dramatis(stage, actors, '-t', '0', '-q', 'mail, mail')
  t.match(await worker.logged(/^Worker started/), { threads: 0, queues: ['mail'] })
  const other = await stage.actor<number>('add').send(1, 2)
  t.equal(await (await stage.actor<number>('onMail', 'mail').send(5)).result(patience), 5)
  await t.rejects(other.result({ timeout: 0 }), { name: 'ResultMissing' })
  worker.kill('SIGINT')
  t.same(await worker.ended, [0, null])
})

t.test('--help lists the options', async (t) => {
  const help = dramatis(scene(t), '--help')
  t.same(await help.ended, [0, null])
  for (const flag of ['--threads', '--concurrency', '--queues', '--prefetch', '--shutdown-timeout', '--max-memory'])
    t.match(help.output, flag)
  t.match(help.output, /DRAMATIS_URL/)
})

for (const [what, args, said] of [
  ['a flag that is none', [actors, '--thread', '2'], /unknown option '--thread'.*Did you mean --threads\?/s],
  ['a number that is none', [actors, '--threads', 'many'], /argument 'many' is invalid\. Expected a whole number/],
  ['no module at all', [], /missing required argument 'modules'/],
  ['a module that throws', [broken], /broken\.ts could not be loaded: no such setting/],
  ['a module that is missing', ['./nowhere.js'], /nowhere\.js could not be loaded: Cannot find module/],
  ['a queue that nobody has', [actors, '--queues', 'default,mial'], /queue \\"mial\\", did you mean \\"mail\\"\?/],
  ['a concurrency of nothing', [actors, '-c', '0'], /Expected \\"concurrency\\" to be a whole number from 1 up; got 0/],
  ['a time that is none', [actors, '--shutdown-timeout', 'soon'], /Expected \\"shutdownTimeout\\" to be a duration/],
] as const) {
  t.test(`${what}: a clear error, and exit code 1`, async (t) => {
    const child = dramatis(scene(t), ...args)
    t.same(await child.ended, [1, null])
    t.match(child.errors, said)
    t.notMatch(child.errors, /Worker started/)
  })
}
