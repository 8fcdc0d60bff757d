/** Builds `dist/`: the compiled modules with their declarations, and the files they read beside them (.sql, .lua). */
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'))

rmSync(join(root, 'dist'), { recursive: true, force: true })
execFileSync(process.execPath, [join(typescript, 'bin', 'tsc'), '-p', join(root, 'tsconfig.build.json')], {
  stdio: 'inherit',
})
cpSync(join(root, 'brokers'), join(root, 'dist', 'brokers'), {
  recursive: true,
  filter: (path) => !path.endsWith('.ts') && !path.endsWith('.md'),
})
chmodSync(join(root, 'dist', 'lib', 'cli', 'dramatis.js'), 0o755)
