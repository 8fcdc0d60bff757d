/**
 * TypeScript in threads. Node's own type stripping works in threads. `tsx` registers itself on the main thread only, so
 * threads must register it.
 */
import { isAbsolute, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { requireFrom } from '../../bundled.js'
import { manifestOf } from '../startup/entry-script.js'

/**
 * The URLs of the modules that register tsx in a thread, for both kinds of modules, if this process was started with
 * it.
 */
export function typescriptLoaders(): string[] {
  for (const module of preloads([...readNodeOptions(process.env.NODE_OPTIONS ?? ''), ...process.execArgv])) {
    const manifest = manifestOfTsx(module)
    if (manifest === undefined) continue
    // `require.resolve()` would find the CommonJS versions, which can't register from here.
    const { exports } = requireFrom(manifest)(manifest) as {
      exports: Record<string, { import: { default: string } }>
    }
    return ['./cjs/api', './esm/api'].map(
      (name) => new URL(exports[name]?.import.default as string, pathToFileURL(manifest)).href,
    )
  }
  return []
}

/** Node's flags that load a module before the script. */
const preloading = ['--import', '--require', '-r', '--loader', '--experimental-loader']

/** The modules that Node loads before the script: `--import tsx`, `--import=tsx`. */
function preloads(flags: readonly string[]): string[] {
  return flags.flatMap((flag, index) => {
    const [name = '', ...value] = flag.split('=')
    if (!preloading.includes(name)) return []
    return [value.length > 0 ? value.join('=') : (flags[index + 1] ?? '')]
  })
}

/** Splits NODE_OPTIONS at spaces outside of double quotes. */
function readNodeOptions(text: string): string[] {
  const words = text.match(/(?:"(?:\\.|[^"\\])*"|[^\s"])+/g) ?? []
  return words.map((word) =>
    word.replace(/"((?:\\.|[^"\\])*)"/g, (_, quoted: string) => quoted.replace(/\\(.)/g, '$1')),
  )
}

/** The package.json of tsx, if a preloaded module is one of its own: by name, path or URL. */
function manifestOfTsx(module: string): string | undefined {
  if (/^tsx(\/|$)/.test(module)) return findTsx()
  const path = module.startsWith('file:') ? fileURLToPath(module) : module
  if (!isAbsolute(path)) return undefined
  const manifest = manifestOf(path, ({ name }) => name !== undefined)
  return manifest?.content.name === 'tsx' ? manifest.path : undefined
}

/** The tsx that is visible from the current folder, which Node used for its flags. */
function findTsx(): string | undefined {
  try {
    return requireFrom(join(process.cwd(), '_')).resolve('tsx/package.json')
  } catch {
    return undefined
  }
}
