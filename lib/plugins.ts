/**
 * What can be told of a plugin by looking at it: what it is called, what part it has in sending.
 */
import type { HookName, Middleware } from './middleware.js'

/** Those that are called where a message is sent. */
const sendingHooks = [
  'beforeEnqueue',
  'afterEnqueue',
  'beforeDelayMessage',
  'updateOptionsBeforeCreateMessage',
] as const satisfies readonly HookName[]

/** How a plugin is called in the log. */
export function nameOf(plugin: Middleware): string {
  return plugin.name ?? plugin.constructor.name
}

/** Its name and its hooks of sending, by which it is recognised in another thread; `undefined` where it has none. */
export function asSender(plugin: Middleware): string | undefined {
  const hooks = sendingHooks.filter((name) => typeof plugin[name] === 'function')
  return hooks.length === 0 ? undefined : `${nameOf(plugin)}: ${hooks.join(' ')}`
}

/** Whether it may look at results without having said when. */
export function seesResults(plugin: Middleware): boolean {
  const { afterProcessMessage, beforeSettleMessage, aroundProcess, afterSettleMessage } = plugin
  return Boolean(afterProcessMessage || beforeSettleMessage || aroundProcess || afterSettleMessage)
}
