/**
 * A thread that runs the script of a service again would serve it once more: on the same port, which fails with an error
 * that says nothing of threads, or on one of its own, which nobody notices.
 */
import { Server } from 'node:net'
import { peekCurrent } from '../../current.js'
import { InvalidOption } from '../../errors.js'
import { whatModulesAreFor } from '../startup/entry-script.js'

/** Lets no server of this thread listen, but for what an actor starts. */
export function refuseListening(): void {
  const { listen } = Server.prototype
  Server.prototype.listen = function refusing(this: Server, ...args: unknown[]): Server {
    if (peekCurrent() === undefined) {
      throw new InvalidOption(
        `A worker's thread runs the script of this process again, and that listens: it would do so in each thread. ${whatModulesAreFor} ` +
          'What comes after "await worker.start()" happens on the main thread only.',
        'modules',
      )
    }
    return Reflect.apply(listen as (...args: unknown[]) => Server, this, args)
  }
}
