/**
 * What the threads of a pool are started with: our own file or, in a bundle, the application's module, in which our
 * code detects the thread and serves it.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isBundled, isCommonJS } from '../../bundled.js'
import { requiredModules } from './load-module.js'
import { typescriptLoaders } from './typescript.js'

export interface ThreadProgram {
  /** A file, or the code of a script. */
  readonly script: URL | string
  /** Whether our code must detect by itself that it should serve the thread, because nothing else starts it. */
  readonly bundled: boolean
  /** Those of the modules that must be loaded with `require()`. */
  readonly required: readonly string[]
}

export function threadProgram(modules: readonly string[]): ThreadProgram {
  const own = ownScript()
  const required = requiredModules(modules)
  const loaders = typescriptLoaders()
  if (own && loaders.length === 0 && !isCommonJS) return { script: own, bundled: false, required }
  const steps = loaders.map((loader) => `import(${JSON.stringify(loader)}).then(({ register }) => { register() })`)
  const first = own?.href ?? (modules[0] as string)
  steps.push(loadingCode(first, own ? isCommonJS : required.includes(first)))
  return { script: steps.reduce((all, step) => `${all}.then(() => ${step})`), bundled: own === undefined, required }
}

/** From source there is a thread-script.ts instead of a thread-script.js; in a bundle there is neither. */
function ownScript(): URL | undefined {
  if (isBundled) return undefined
  const script = new URL(`./thread-script.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url)
  return existsSync(script) ? script : undefined
}

/** Code that loads a module. It may run as CommonJS or as an ES module, depending on the flags of the process. */
function loadingCode(module: string, required: boolean): string {
  if (!required) return `import(${JSON.stringify(module)})`
  const path = JSON.stringify(fileURLToPath(module))
  return `import('node:module').then(({ createRequire }) => createRequire(${path})(${path}))`
}
