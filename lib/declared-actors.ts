/** Where each actor of this thread was declared, and whether a newer one replaced it. */
import type { CallSite } from './call-site.js'
import { shared } from './registry.js'

export interface DeclaredActor {
  readonly callSite: CallSite
  /** Whether a newer actor replaced it. */
  replaced: boolean
}

/** By the actor. */
const declared = shared('actors', () => new WeakMap<object, DeclaredActor>())

/** Records the declaration of an actor. */
export function recordDeclaration(actor: object, declaration: DeclaredActor): void {
  declared.set(actor, declaration)
}

/** The declaration of an actor; `undefined` if it wasn't created by `actor()`. */
export function declarationOf(actor: object): DeclaredActor | undefined {
  return declared.get(actor)
}

/** Whether a newer actor replaced it. */
export function isReplaced(actor: object): boolean {
  return declared.get(actor)?.replaced ?? false
}

/** Where an actor was declared, as `file:line:column`; unknown if it wasn't created by `actor()`. */
export function whereDeclared(actor: object): string | undefined {
  return declared.get(actor)?.callSite.text()
}
