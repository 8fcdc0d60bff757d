/** A plugin with a custom option, as a user would write it. */
import { type Message, type Middleware, type OptionSpec, SkipMessage } from 'dramatis'

declare module 'dramatis' {
  interface ActorOptions {
    /** The customer that the work is for. */
    tenant?: string
  }
}

export class Tenants implements Middleware {
  readonly actorOptions: Record<string, OptionSpec> = {
    tenant: {
      read(value, name) {
        if (typeof value === 'string') return value
        throw new TypeError(`${name} is no string`)
      },
    },
  }

  beforeProcessMessage(message: Message): void {
    if (message.options.paused) throw new SkipMessage('This tenant is paused.')
  }
}
