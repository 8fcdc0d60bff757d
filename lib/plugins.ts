/** What can be derived from a plugin: its name, and its hooks of sending. */
import type { HookName, Middleware } from './middleware.js'

/** Hooks that are called where a message is sent. */
const sendingHooks = [
  'beforeEnqueue',
  'afterEnqueue',
  'beforeDelayMessage',
  'updateOptionsBeforeCreateMessage',
] as const satisfies readonly HookName[]

/** The name of a plugin in the log. */
export function nameOf(plugin: Middleware): string {
  return plugin.name ?? plugin.constructor.name
}

/** Its name and its hooks of sending, which identify it in another thread; `undefined` if it has none. */
export function asSender(plugin: Middleware): string | undefined {
  const hooks = sendingHooks.filter((name) => typeof plugin[name] === 'function')
  return hooks.length === 0 ? undefined : `${nameOf(plugin)}: ${hooks.join(' ')}`
}

/** Whether it may read results without stating when. */
export function seesResults(plugin: Middleware): boolean {
  const { afterProcessMessage, beforeSettleMessage, aroundProcess, afterSettleMessage } = plugin
  return Boolean(afterProcessMessage || beforeSettleMessage || aroundProcess || afterSettleMessage)
}
