/**
 * Checks the argument of `broker.use()`: an object whose hooks are functions, and none of whose methods is a misspelled
 * hook. Such a plugin would silently do nothing.
 */

import { expected, nearest, refuseUnknown, show } from './checks.js'
import { DramatisError, InvalidOption } from './errors.js'
import type { HookName } from './hook-names.js'

/** Properties besides hooks that make an object a plugin. */
const otherParts = ['actorOptions', 'results', 'wantsResult', 'joinsSettlement', 'maxDeliveries']

/** @throws {InvalidOption} */
export function checkPlugin(plugin: unknown, hooks: readonly HookName[]): asserts plugin is object {
  if (typeof plugin === 'function') {
    const name = plugin.name || 'Plugin'
    throw new InvalidOption(
      `Expected a plugin, an object with hooks; got ${show(plugin)}. If it is a class, pass an instance: use(new ${name}()).`,
      'plugin',
    )
  }
  if (typeof plugin !== 'object' || plugin === null || Array.isArray(plugin)) {
    throw new InvalidOption(
      `Expected a plugin, an object with hooks such as { beforeEnqueue(message) {} }; got ${show(plugin)}.`,
      'plugin',
    )
  }
  const { essential } = plugin as { essential?: unknown }
  if (essential !== undefined && typeof essential !== 'boolean') throw expected('true or false', essential, 'essential')
  const names = namesOf(plugin)
  for (const name of names) {
    if (hooks.includes(name as HookName)) checkHook(plugin, name)
    else if (/^(before|after|around|update)[A-Z]/.test(name)) checkSpelling(name, hooks, plugin)
  }
  if (names.some((name) => hooks.includes(name as HookName) || otherParts.includes(name))) return
  // A plugin with no properties at all may mark a position in the chain. An object with others was meant for something
  // else.
  if (!names.some((name) => name !== 'constructor' && isMethod(plugin, name))) return
  throw new InvalidOption(
    `Expected a plugin with at least one hook, such as beforeEnqueue; got ${show(plugin)}, which has none.`,
    'plugin',
  )
}

function checkHook(plugin: object, name: string): void {
  const hook = (plugin as Record<string, unknown>)[name]
  if (hook !== undefined && typeof hook !== 'function') throw expected('a function', hook, name)
}

function isMethod(object: object, name: string): boolean {
  const found = Object.getOwnPropertyDescriptor(object, name)
  if (found) return typeof found.value === 'function'
  const prototype = Object.getPrototypeOf(object)
  return prototype !== null && isMethod(prototype, name)
}

/** A misspelled hook is never called, as if the plugin didn't work. */
function checkSpelling(name: string, hooks: readonly HookName[], plugin: object): void {
  // The shorter a name is, the more likely it is the plugin's own.
  const near = nearest(name, hooks, Math.floor(name.length / 6))
  if (near !== undefined && isMethod(plugin, name)) {
    throw new InvalidOption(`There is no hook "${name}", did you mean "${near}"? (on ${show(plugin)})`, name)
  }
}

/** The names of all its properties, inherited methods included. */
function namesOf(plugin: object): string[] {
  const names: string[] = []
  for (let one = plugin; one && one !== Object.prototype; one = Object.getPrototypeOf(one)) {
    names.push(...Object.getOwnPropertyNames(one))
  }
  return names
}

/** @throws {InvalidOption} */
export function checkAnchors(where: unknown): void {
  refuseUnknown(where, ['before', 'after'], 'use()')
  const { before, after } = where as { before?: unknown; after?: unknown }
  for (const [name, kind] of Object.entries({ before, after })) {
    if (kind !== undefined && typeof kind !== 'function') throw expected('the class of a plugin', kind, name)
  }
  if (before && after) throw new DramatisError('Expected "before" or "after"; got both.')
}
