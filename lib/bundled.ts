/**
 * Whether this code is in the one file that a bundler made of it, where nothing lies beside it any more; and `require()`,
 * which has to start from somewhere there, too.
 */
import nodeModule from 'node:module'
import { dirname, isAbsolute, join } from 'node:path'

declare const __webpack_require__: unknown

/**
 * `createRequire()`, under another name: webpack follows an import of that name, and what many put at the head of a bundle
 * of ES modules declares it.
 */
export const requireFrom = nodeModule.createRequire

/** The URL of this file as it was written; of the bundle, when it is in one; none in a bundle of CommonJS. */
const url: string | undefined = import.meta.url

/** Whether a bundler has put this code together with that of an application. */
export const isBundled =
  // webpack puts in the URL that the file had where it was built.
  typeof __webpack_require__ === 'function' || url === undefined || !/\/lib\/bundled\.[jt]s$/.test(url)

/** The file that this code is in, when it is CommonJS: a bundle, or what tsx makes of it for a script that is CommonJS. */
const commonJSFile = findCommonJSFile()

/** Whether this code is CommonJS. */
export const isCommonJS = commonJSFile !== undefined

function findCommonJSFile(): string | undefined {
  try {
    // Code of --eval has a global one. Not asked by `typeof`, which webpack answers when it builds.
    return __filename === (globalThis as { __filename?: string }).__filename ? undefined : __filename
  } catch {
    return undefined
  }
}

/** `require()`, as this package has it; in a bundle, as the file that the bundle is. */
export const ownRequire = requireFrom(findStart())

function findStart(): string {
  if (commonJSFile !== undefined) return commonJSFile
  if (url?.startsWith('file:') && typeof __webpack_require__ !== 'function') return url
  const script = process.argv[1]
  return join(script !== undefined && isAbsolute(script) ? dirname(script) : process.cwd(), '_')
}
