/** What can be derived from a plugin: its name, and its hooks of sending. */
import type { HookName } from './hook-names.js'

/** A plugin, as far as it is read here. */
type Plugin = { readonly name?: string | undefined } & { readonly [Name in HookName]?: unknown }

/** Hooks that are called where a message is sent. */
const sendingHooks = [
  'beforeEnqueue',
  'afterEnqueue',
  'beforeDelayMessage',
  'updateOptionsBeforeCreateMessage',
] as const satisfies readonly HookName[]

/** The name of a plugin in the log. */
export function nameOf(plugin: Plugin): string {
  return plugin.name ?? plugin.constructor.name
}

/** Its name and its hooks of sending, which identify it in another thread; `undefined` if it has none. */
export function asSender(plugin: Plugin): string | undefined {
  const hooks = sendingHooks.filter((name) => typeof plugin[name] === 'function')
  return hooks.length === 0 ? undefined : `${nameOf(plugin)}: ${hooks.join(' ')}`
}

/** Whether it may read results without stating when. */
export function seesResults(plugin: Plugin): boolean {
  const { afterProcessMessage, beforeSettleMessage, aroundProcess, afterSettleMessage } = plugin
  return Boolean(afterProcessMessage || beforeSettleMessage || aroundProcess || afterSettleMessage)
}
