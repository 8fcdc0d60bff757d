/** A proxy to Redis on which an answer can get lost: what was asked is done, and the connection breaks before one hears. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export class LosingProxy {
  /** How many answers were lost. */
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

  /** @returns The port by which Redis is reached on this proxy. */
  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  /** The next time that somebody asks for something like this, he gets no answer. */
  next(isLost: (asked: Buffer) => boolean): void {
    this.#isLost = isLost
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}
