/**
 * An actor is called on the wire what its function is called, and bundlers rename functions: one that stands in a
 * constant of the same name becomes `work2`, and a minifier leaves nothing. What a bundler did to the application can't
 * be told; what it did to this module, which it put into the same file, can.
 */

const asIs = <F>(fn: F): F => fn

/** Written as actors are. */
const sample = asIs(function sample() {})

/** Whether functions have the names here that they were written with. */
export const namesAreKept = sample.name === 'sample'

/** What can be done about it, as errors say it. */
export const howToKeepNames =
  'let the bundler keep the names of functions (keepNames in esbuild, tsup and tsdown, keep_fnames in terser and swc), or name the actor: actor(fn, { actorName: … }).'

/** Of the actors that are known, the one that a bundler may have made of another name: `work2` and `work$1` of `work`. */
export function findRenamed(name: string, known: Iterable<string>): string | undefined {
  const stem = stemOf(name)
  for (const one of known) if (one !== name && stemOf(one) === stem) return one
  return undefined
}

/** What to do when there is no actor of that name, but one that may have been it. */
export function hintOfRenamed(name: string, known: Iterable<string>): string | undefined {
  const renamed = findRenamed(name, known)
  if (renamed === undefined) return undefined
  return `there is "${renamed}". A bundler may have renamed the function, here or where the message was sent: ${howToKeepNames}`
}

function stemOf(name: string): string {
  return name.replace(/^_+|[_$]*\d*$/g, '')
}
