/**
 * What the threads of a pool are started with: a file of ours; or, in a bundle, where there is none, the application's
 * own module, in which our code finds that it is in such a thread and serves it.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isBundled, isCommonJS } from '../../bundled.js'
import { requiredModules } from './load-module.js'
import { typescriptLoaders } from './typescript.js'

export interface ThreadProgram {
  /** A file, or the code of a script. */
  readonly script: URL | string
  /** Whether our code has to find out in the thread that it is to serve it: nobody else could tell it. */
  readonly bundled: boolean
  /** Those of the modules that are to be loaded with `require()`. */
  readonly required: readonly string[]
}

export function threadProgram(modules: readonly string[]): ThreadProgram {
  const own = ownScript()
  const required = requiredModules(modules)
  const loaders = typescriptLoaders()
  if (own && loaders.length === 0 && !isCommonJS) return { script: own, bundled: false, required }
  const steps = loaders.map((loader) => `import(${JSON.stringify(loader)}).then(({ register }) => { register() })`)
  const first = own?.href ?? (modules[0] as string)
  steps.push(loading(first, own ? isCommonJS : required.includes(first)))
  return { script: steps.reduce((all, step) => `${all}.then(() => ${step})`), bundled: own === undefined, required }
}

/** From source there is no thread-script.js beside this file, but a thread-script.ts; in a bundle there is neither. */
function ownScript(): URL | undefined {
  if (isBundled) return undefined
  const script = new URL(`./thread-script.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url)
  return existsSync(script) ? script : undefined
}

/** Code that loads a module. It may be run as CommonJS or as an ES module, as the flags of the process have it. */
function loading(module: string, required: boolean): string {
  if (!required) return `import(${JSON.stringify(module)})`
  const path = JSON.stringify(fileURLToPath(module))
  return `import('node:module').then(({ createRequire }) => createRequire(${path})(${path}))`
}
