/**
 * The default name of an actor is the name of its function, and bundlers rename functions: one assigned to a constant
 * of the same name becomes `work2`, and a minifier removes names. What a bundler did to the application is unknown, but
 * it did the same to this module in the same file.
 */

const asIs = <F>(fn: F): F => fn

/** Declared as actors are. */
const sample = asIs(function sample() {})

/** Whether functions in this file have their original names. */
export const namesAreKept = sample.name === 'sample'

/** What to do about it, for error messages. */
export const howToKeepNames =
  'let the bundler keep the names of functions (keepNames in esbuild, tsup and tsdown, keep_fnames in terser and swc), or name the actor: actor(fn, { actorName: … }).'

/** The known actor that a bundler may have renamed: `work2` and `work$1` of `work`. */
export function findRenamed(name: string, known: Iterable<string>): string | undefined {
  const stem = stemOf(name)
  for (const one of known) if (one !== name && stemOf(one) === stem) return one
  return undefined
}

/** What to do if there is no actor of that name, but a renamed one. */
export function hintOfRenamed(name: string, known: Iterable<string>): string | undefined {
  const renamed = findRenamed(name, known)
  if (renamed === undefined) return undefined
  return `there is "${renamed}". A bundler may have renamed the function, here or where the message was sent: ${howToKeepNames}`
}

function stemOf(name: string): string {
  return name.replace(/^_+|[_$]*\d*$/g, '')
}
