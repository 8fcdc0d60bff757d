/**
 * Whether this code is part of a bundle, where no other file of the package is beside it; and `require()`, which must
 * be relative to some file even then.
 */
import nodeModule from 'node:module'
import { dirname, isAbsolute, join } from 'node:path'

declare const __webpack_require__: unknown

/**
 * `createRequire()` under another name: webpack follows an import of that name, and many bundles of ES modules declare
 * it in their banner.
 */
export const requireFrom = nodeModule.createRequire

/** The URL of this file; of the bundle, if it is in one; `undefined` in a CommonJS bundle. */
const url: string | undefined = import.meta.url

/** Whether a bundler combined this code with that of an application. */
export const isBundled =
  // webpack replaces it with the URL that the file had at build time.
  typeof __webpack_require__ === 'function' || url === undefined || !/\/lib\/bundled\.[jt]s$/.test(url)

/** The file of this code if it is CommonJS: a bundle, or the output of tsx for a CommonJS script. */
const commonJSFile = findCommonJSFile()

/** Whether this code is CommonJS. */
export const isCommonJS = commonJSFile !== undefined

function findCommonJSFile(): string | undefined {
  try {
    // Code of --eval has a global one. `typeof` isn't used because webpack evaluates it at build time.
    return __filename === (globalThis as { __filename?: string }).__filename ? undefined : __filename
  } catch {
    return undefined
  }
}

/** `require()` relative to this package or, in a bundle, to the bundle. */
export const ownRequire = requireFrom(findStart())

function findStart(): string {
  if (commonJSFile !== undefined) return commonJSFile
  if (url?.startsWith('file:') && typeof __webpack_require__ !== 'function') return url
  const script = process.argv[1]
  return join(script !== undefined && isAbsolute(script) ? dirname(script) : process.cwd(), '_')
}
