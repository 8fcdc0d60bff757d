/**
 * The mark of our error classes. `instanceof` uses it instead of the class or its name: two copies of this package
 * recognise each other's errors, and a class of the application with the same name isn't mistaken for ours.
 */

/** A property of each class's prototype, with its name. */
const mark = Symbol.for('dramatis.error')

/** The mark of a prototype, if it has one. */
export function markOf(prototype: object | null | undefined): string | undefined {
  return prototype && Object.hasOwn(prototype, mark) ? (prototype as { [mark]: string })[mark] : undefined
}

/** Marks every class of a module with its exported name, which no minifier changes. */
export function markClasses(module: object): void {
  for (const [name, exported] of Object.entries(module)) {
    if (typeof exported === 'function') Object.defineProperty(exported.prototype, mark, { value: name })
  }
}

/** The result of `instanceof` for our classes and for classes that extend them. */
export function isInstance(kind: { readonly prototype: object }, value: unknown): boolean {
  const wanted = markOf(kind.prototype)
  try {
    if (wanted === undefined) return Function.prototype[Symbol.hasInstance].call(kind, value)
    if (typeof value !== 'object' || value === null) return false
    let prototype = Object.getPrototypeOf(value) as object | null
    while (prototype && markOf(prototype) !== wanted) prototype = Object.getPrototypeOf(prototype) as object | null
    return prototype !== null
  } catch {
    // A Proxy that can't be inspected.
    return false
  }
}
