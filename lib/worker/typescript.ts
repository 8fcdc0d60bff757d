/**
 * TypeScript in threads. Node's own type stripping reaches threads by itself; `tsx` registers itself on the main thread
 * only, so that a thread has to be told to.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** The URL of the module that registers tsx in a thread, when this process was started with tsx. */
export function typescriptLoader(): string | undefined {
  const flags = [...process.execArgv, ...(process.env.NODE_OPTIONS ?? '').split(' ')].join('\n')
  if (!/(^|[=/\\\n])tsx([/\\\n]|$)/.test(flags)) return undefined
  // Where tsx itself is named by its place, it is that one; else the one that the current folder sees.
  const [place] = /(file:\/\/|[/\\]|[a-zA-Z]:\\)[^\n]*?[/\\]tsx[/\\]dist[/\\]/.exec(flags) ?? []
  const from = place?.startsWith('file:') ? place : pathToFileURL(place ?? join(process.cwd(), '_')).href
  const require = createRequire(from)
  const manifest = require.resolve('tsx/package.json')
  // require.resolve() would find the CommonJS twin, which can't register from here.
  const { exports } = require(manifest) as { exports: { './esm/api': { import: { default: string } } } }
  return new URL(exports['./esm/api'].import.default, pathToFileURL(manifest)).href
}

/** What such a thread runs: it registers tsx, and then is a thread like any other. */
export function bootstrap(loader: string, script: URL): string {
  return `import(${JSON.stringify(loader)}).then(({ register }) => { register(); return import(${JSON.stringify(script.href)}) })`
}
