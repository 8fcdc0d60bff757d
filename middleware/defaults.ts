/** The default chain of every broker. `before…` hooks run from top to bottom, `after…` hooks from bottom to top. */

import { refuseUnknown } from '../lib/checks.js'
import type { Middleware } from '../lib/middleware.js'
import { identifyClasses } from '../lib/registry.js'
import type { ResultBackend } from '../lib/results/backend.js'
import { AgeLimit } from './age-limit.js'
import { Callbacks } from './callbacks.js'
import { Cancellation } from './cancellation.js'
import { GroupCallbacks } from './group-callbacks.js'
import { Pipelines } from './pipelines.js'
import { Results } from './results.js'
import { Retries } from './retries.js'
import { ShutdownNotifications } from './shutdown-notifications.js'
import { Status } from './status.js'
import { TimeLimit } from './time-limit.js'
import { Unique } from './unique.js'

// A plugin that another copy of the package adds replaces the same plugin here.
identifyClasses([
  Cancellation,
  AgeLimit,
  TimeLimit,
  ShutdownNotifications,
  Callbacks,
  Pipelines,
  GroupCallbacks,
  Unique,
  Retries,
  Results,
  Status,
])

/** @param options.results The results backend of the broker, if it has one. */
export function defaultMiddleware(options: { results?: ResultBackend | undefined } = {}): Middleware[] {
  refuseUnknown(options, ['results'], 'defaultMiddleware()')
  const { results } = options
  return [
    new Cancellation(), // first, so that nothing is begun for a cancelled message, and last to decide about one
    new AgeLimit(), // so that nothing is begun for a message that is too old
    new TimeLimit(), // around all that runs the actor
    new ShutdownNotifications(),
    new Callbacks(),
    new Pipelines(),
    new GroupCallbacks(), // acts on the decision, like those around it
    new Unique(),
    new Retries(), // decides in afterProcessMessage; the plugins around it act on the decision, in beforeSettleMessage
    ...(results ? [new Results({ backend: results })] : []),
    new Status(), // last, since a message whose plugins skip it hasn't started
  ]
}
