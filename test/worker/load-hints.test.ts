/** What is said when a module can't be loaded: with what to do, where that can be told. */
import { realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { loadError, noActors } from '../../lib/worker/startup/load-hints.js'

const url = (path: string): string => pathToFileURL(path).href

function project(t: Test, manifest: string, ...files: string[]): string {
  const folder = realpathSync(t.testdir())
  writeFileSync(join(folder, 'package.json'), manifest)
  for (const file of files) writeFileSync(join(folder, file), '')
  return folder
}

const commonJS = '{ "type": "commonjs" }'

for (const text of [
  'Cannot use import statement outside a module',
  "Unexpected token 'export'",
  'await is only valid in async functions and the top level bodies of modules',
  'Transform failed with 1 error: Top-level await is currently not supported with the "cjs" output format',
]) {
  t.test(`"${text}" in a CommonJS package: the package is named, and two ways out`, async (t) => {
    const folder = project(t, commonJS, 'actors.ts')
    const { message } = loadError(url(join(folder, 'actors.ts')), new SyntaxError(text))
    t.match(
      message,
      `${text}. ${join(folder, 'package.json')} says "type": "commonjs", so actors.ts is read as CommonJS.`,
    )
    t.match(message, 'Run npm pkg set type=module, or rename the file actors.mts.')
  })
}

t.test('the file that is meant may be one that the module imports', async (t) => {
  const folder = project(t, '{ "name": "app" }', 'worker.mjs', 'actors.js')
  const cause = new SyntaxError('Cannot use import statement outside a module')
  cause.stack = `${join(folder, 'actors.js')}:1\nimport { actor } from 'dramatis'\n^^^^^^\n\nSyntaxError: …`
  const { message } = loadError(url(join(folder, 'worker.mjs')), cause)
  t.match(message, /doesn't say "type": "module", so actors\.js is read as CommonJS.* rename the file actors\.mjs\./)
})

t.test('an error that has nothing to do with that gets no such advice', async (t) => {
  const folder = project(t, commonJS, 'actors.js')
  const { message } = loadError(url(join(folder, 'actors.js')), new Error('no such setting'))
  t.match(message, /could not be loaded: no such setting$/)
  project(t, '{ "type": "module" }')
  const cause = new SyntaxError("Unexpected token 'export'")
  t.match(loadError(url(join(folder, 'actors.js')), cause).message, /Unexpected token 'export'$/)
})

t.test('TypeScript on a Node that runs none, a name without its dot, an extension that no file has', async (t) => {
  const folder = project(t, commonJS, 'actors.ts')
  const extension = new TypeError(`Unknown file extension ".ts" for ${join(folder, 'actors.ts')}`)
  Object.assign(extension, { code: 'ERR_UNKNOWN_FILE_EXTENSION' })
  t.match(loadError(url(join(folder, 'actors.ts')), extension).message, /start the process with tsx\.$/)
  const missing = Object.assign(new Error('Cannot find it'), { code: 'ERR_MODULE_NOT_FOUND' })
  t.match(loadError('package.json', missing).message, /for the file, write "\.\/package\.json"\.$/)
  t.match(loadError(url(join(folder, 'actors.js')), missing).message, /There is actors\.ts: use the name/)
  t.match(loadError('some-package', missing).message, /Cannot find it$/)
})

t.test('the script of the process, which the main thread could load: what modules is for', async (t) => {
  const folder = project(t, '{ "type": "module" }', 'worker.js')
  const script = join(folder, 'worker.js')
  t.intercept(process, 'argv', { value: [process.execPath, script] })
  t.match(
    loadError(url(script), new Error('only for the main thread')).message,
    /only for the main thread\. Threads import "modules" to find the actors; .* as in \{ modules: \['\.\/actors\.js'\] \}/,
  )
})

t.test('no actors, in a package that is no module: it is said', async (t) => {
  const folder = project(t, commonJS, 'worker.ts', 'worker.mts')
  t.match(
    noActors([join(folder, 'worker.ts')]).message,
    /package\.json says "type": "commonjs": if the modules are written/,
  )
  t.notMatch(noActors([join(folder, 'worker.mts')]).message, /package\.json/)
  t.notMatch(noActors(['some-package']).message, /package\.json/)
})
