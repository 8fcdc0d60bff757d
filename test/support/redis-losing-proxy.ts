/** A proxy to Redis that can lose a reply: the command is executed, and the connection breaks before the reply. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export class LosingProxy {
  /** The number of lost replies. */
  lost = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #isLost: (asked: Buffer) => boolean = () => false

  constructor(port: number) {
    this.#server = createServer((from) => {
      const to = connect(port, '127.0.0.1')
      let losing = false
      for (const [one, other] of [
        [from, to],
        [to, from],
      ] as const) {
        this.#sockets.add(one)
        one.on('error', () => other.destroy())
        one.on('close', () => {
          this.#sockets.delete(one)
          other.destroy()
        })
      }
      from.on('data', (asked) => {
        if (!losing && this.#isLost(asked)) {
          losing = true
          this.#isLost = () => false
        }
        to.write(asked)
      })
      to.on('data', (answer) => {
        if (!losing) return void from.write(answer)
        this.lost++
        from.destroy()
      })
    })
  }

  /** @returns The port of the proxy. */
  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  /** The next matching request gets no reply. */
  next(isLost: (asked: Buffer) => boolean): void {
    this.#isLost = isLost
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}
