/**
 * A thread that runs the script of a service would start the service again: on the same port, which fails with an error
 * that doesn't mention threads, or on one of its own, which goes unnoticed.
 */
import { Server } from 'node:net'
import { peekCurrent } from '../../current.js'
import { InvalidOption } from '../../errors.js'
import { whatModulesAreFor } from '../startup/entry-script.js'

/** Makes `listen()` throw in this thread, except within an actor. */
export function refuseListening(): void {
  const { listen } = Server.prototype
  Server.prototype.listen = function refusing(this: Server, ...args: unknown[]): Server {
    if (peekCurrent() === undefined) {
      throw new InvalidOption(
        `A worker thread runs the script of this process again, and the script calls listen(): each thread would do so. ${whatModulesAreFor} ` +
          'Code after "await worker.start()" runs on the main thread only.',
        'modules',
      )
    }
    return Reflect.apply(listen as (...args: unknown[]) => Server, this, args)
  }
}
