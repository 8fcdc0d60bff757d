/** `dramatis/middleware`: the plugins, one class per file, and what a plugin with its own options needs. */

export { expected } from '../lib/checks.js'
export {
  actorReference,
  callback,
  count,
  declareOptions,
  duration,
  effective,
  flag,
  nullable,
  type OptionSpec,
} from '../lib/options.js'
export { AgeLimit, type AgeLimitOptions } from './age-limit.js'
export { Callbacks } from './callbacks.js'
export { Cancellation, type CancellationOptions } from './cancellation.js'
export { defaultMiddleware } from './defaults.js'
export { GroupCallbacks } from './group-callbacks.js'
export { Pipelines } from './pipelines.js'
export { Results, type ResultsOptions } from './results.js'
export { type ErrorClass, Retries, type RetriesOptions } from './retries.js'
export { ShutdownNotifications, type ShutdownNotificationsOptions } from './shutdown-notifications.js'
export { Status, type StatusOptions } from './status.js'
export { TimeLimit, type TimeLimitOptions } from './time-limit.js'
export { Unique } from './unique.js'
