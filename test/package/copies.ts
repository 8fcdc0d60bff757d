/** Two copies of the package in one process, as in a monorepo or after a deployment by symlink. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { environmentOf, works } from './entries.js'
import * as shell from './shell.js'

/** A package of the project that has its own copy of dramatis, and the actors. */
function installSecond(folder: string, name: string): string {
  const second = join(folder, name)
  cpSync(join(folder, 'node_modules/dramatis'), join(second, 'node_modules/dramatis'), { recursive: true })
  cpSync(join(folder, 'actors.js'), join(second, 'actors.js'))
  writeFileSync(join(second, 'package.json'), '{ "type": "module" }')
  return second
}

export function testCopies(folder: string): void {
  t.test(
    'two copies of the package: what is sent through one goes to the broker that was given to the other',
    async (t) => {
      installSecond(folder, 'second')
      const program = `
      import { setBroker } from 'dramatis'
      import { MemoryBroker } from 'dramatis/memory'
      import { add } from './second/actors.js'
      const broker = new MemoryBroker()
      setBroker(broker)
      await add.send(1, 2)
      console.log((await broker.stats('default')).ready)`
      const { out, err } = await shell.run('node', ['--input-type=module', '--eval', program], environmentOf(folder))
      t.equal(out, '1\n', 'it is there', { err })
    },
  )

  t.test('two copies of the package: a worker of one runs the actors of the other, on threads', async (t) => {
    writeFileSync(
      join(folder, 'worker-of-two.js'),
      "import { runWorker } from 'dramatis'\nimport './second/actors.js'\nawait runWorker({ threads: 1 })\n",
    )
    await works(t, environmentOf(folder), ['worker-of-two'], './second/actors.js')
  })

  t.test('two versions that do not fit are told apart', async (t) => {
    const second = installSecond(folder, 'third')
    for (const file of ['package.json', 'dist/lib/version.js']) {
      const path = join(second, 'node_modules/dramatis', file)
      writeFileSync(path, readFileSync(path, 'utf8').replace(/(version"?[^\n]*?["'])\d+\.\d+\.\d+/, '$199.0.0'))
    }
    const program = `import 'dramatis'\nawait import('./third/actors.js')`
    const { code, err } = await shell.run('node', ['--input-type=module', '--eval', program], environmentOf(folder))
    t.equal(code, 1)
    t.match(err, /IncompatibleCopies: .*99\.0\.0/s)
  })
}
