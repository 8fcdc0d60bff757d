/**
 * Builds `dist/`: the compiled modules with their declarations. The texts that some of them read from source (.sql, .lua)
 * are written into them, so that nothing is looked for beside them: a bundler takes modules and leaves other files behind.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'))

/** Modules that export texts: read from files beside them, from source; written into them, here. */
const embedded = ['brokers/redis/script-texts', 'brokers/sqlite/sql-texts']

rmSync(join(root, 'dist'), { recursive: true, force: true })
execFileSync(process.execPath, [join(typescript, 'bin', 'tsc'), '-p', join(root, 'tsconfig.build.json')], {
  stdio: 'inherit',
})
await embedTexts()
chmodSync(join(root, 'dist', 'lib', 'cli', 'dramatis.js'), 0o755)

/** Lays the texts beside the compiled modules, lets these read them, and writes what they export in their place. */
async function embedTexts() {
  const isText = (path) => /\.(sql|lua)$/.test(path)
  const texts = readdirSync(join(root, 'brokers'), { recursive: true, encoding: 'utf8' }).filter(isText)
  for (const path of texts) cpSync(join(root, 'brokers', path), join(root, 'dist', 'brokers', path))
  for (const module of embedded) {
    const file = join(root, 'dist', `${module}.js`)
    const exported = Object.entries(await import(pathToFileURL(file).href))
    const lines = exported.map(([name, value]) => `export const ${name} = ${JSON.stringify(value, null, 2)};\n`)
    writeFileSync(file, `/** Written by ${relative(root, fileURLToPath(import.meta.url))}. */\n${lines.join('')}`)
  }
  const folders = new Set(texts.map((path) => join(root, 'dist', 'brokers', dirname(path))))
  for (const path of texts) rmSync(join(root, 'dist', 'brokers', path))
  for (const folder of folders) if (readdirSync(folder).length === 0) rmSync(folder, { recursive: true })
}
