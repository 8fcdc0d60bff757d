/** The names of the hooks that a plugin may have; middleware.ts describes them. */

/** In the order of a message's life. Hooks `after…` run in reverse order of the plugins, all others in their order. */
export const hookNames = [
  'aroundProcess',
  'aroundActor',
  'beforeAck',
  'afterAck',
  'beforeNack',
  'afterNack',
  'beforeDeclareActor',
  'afterDeclareActor',
  'beforeDeclareQueue',
  'afterDeclareQueue',
  'afterDeclareDelayQueue',
  'beforeEnqueue',
  'afterEnqueue',
  'beforeDelayMessage',
  'beforeProcessMessage',
  'afterProcessMessage',
  'beforeSettleMessage',
  'afterSkipMessage',
  'afterInterruptMessage',
  'afterSettleMessage',
  'afterProcessBoot',
  'beforeWorkerBoot',
  'afterWorkerBoot',
  'beforeWorkerShutdown',
  'afterWorkerShutdown',
  'afterConsumerThreadBoot',
  'beforeConsumerThreadShutdown',
  'afterWorkerThreadBoot',
  'beforeWorkerThreadShutdown',
  'afterThreadStart',
  'beforeThreadStop',
  'updateOptionsBeforeCreateMessage',
] as const

export type HookName = (typeof hookNames)[number]
