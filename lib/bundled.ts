/**
 * Whether this code is in the one file that a bundler made of it, where nothing lies beside it any more; and `require()`,
 * which has to start from somewhere there, too.
 */
// By another name, here and elsewhere: what many put at the head of a bundle of ES modules declares `createRequire`.
import { createRequire as requireFrom } from 'node:module'
import { join } from 'node:path'

declare const __webpack_require__: unknown

/** The URL of this file as it was written; of the bundle, when it is in one; none in a bundle of CommonJS. */
const url: string | undefined = import.meta.url

/** Whether a bundler has put this code together with that of an application. */
export const isBundled =
  // webpack puts in the URL that the file had where it was built.
  typeof __webpack_require__ === 'function' || url === undefined || !/\/lib\/bundled\.[jt]s$/.test(url)

/** Whether this code is CommonJS: a bundle, or what tsx makes of it for a script that is CommonJS. Code of --eval has a global one. */
export const isCommonJS =
  typeof __filename === 'string' && __filename !== (globalThis as { __filename?: string }).__filename

/** `require()`, as this package has it; in a bundle, as the file that the bundle is. */
export const ownRequire = requireFrom(from())

function from(): string {
  if (isCommonJS) return __filename
  if (url?.startsWith('file:') && typeof __webpack_require__ !== 'function') return url
  return join(process.argv[1] ?? process.cwd(), '_')
}
