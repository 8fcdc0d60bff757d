/**
 * The mark of our error classes. `instanceof` goes by it, and not by the class or its name: two copies of this package
 * know each other's errors, and an application's class that is called like one of ours isn't taken for it.
 */

/** Stands on the prototype of each of our classes, with its name. */
const mark = Symbol.for('dramatis.error')

/** The mark of a prototype, if it is one of ours. */
export function markOf(prototype: object | null | undefined): string | undefined {
  return prototype && Object.hasOwn(prototype, mark) ? (prototype as { [mark]: string })[mark] : undefined
}

/** Marks every class of a module by the name under which it is exported, which no minifier changes. */
export function markClasses(module: object): void {
  for (const [name, exported] of Object.entries(module)) {
    if (typeof exported === 'function') Object.defineProperty(exported.prototype, mark, { value: name })
  }
}

/** What `instanceof` says of our classes, and of those that an application derives from them. */
export function isInstance(kind: { readonly prototype: object }, value: unknown): boolean {
  const wanted = markOf(kind.prototype)
  try {
    if (wanted === undefined) return Function.prototype[Symbol.hasInstance].call(kind, value)
    if (typeof value !== 'object' || value === null) return false
    let prototype = Object.getPrototypeOf(value) as object | null
    while (prototype && markOf(prototype) !== wanted) prototype = Object.getPrototypeOf(prototype) as object | null
    return prototype !== null
  } catch {
    // A Proxy that doesn't tell what it is.
    return false
  }
}
