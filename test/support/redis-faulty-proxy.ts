/**
 * A proxy to Redis that simulates failures: traffic stops without either end being notified, as when a cable is
 * unplugged; a reply is lost with its connection; all connections are refused for a while.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export class FaultyProxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #blocked = false
  #losing: ((request: Buffer) => boolean) | undefined
  /** Whether the request itself is lost, and not its reply. */
  #losesRequest = false
  /** The number of lost replies and requests. */
  lost = 0

  constructor(port: number) {
    this.#server = createServer((from) => {
      if (this.#blocked) return void from.destroy()
      const to = connect(port, '127.0.0.1')
      from.on('data', (request) => this.#lose(request, from, to))
      for (const [one, other] of [
        [from, to],
        [to, from],
      ] as const) {
        this.#sockets.add(one)
        one.pipe(other)
        one.on('error', () => other.destroy())
        one.on('close', () => {
          this.#sockets.delete(one)
          other.destroy()
        })
      }
    })
  }

  /** Breaks the connection before the reply, or before the request. */
  #lose(request: Buffer, from: Socket, to: Socket): void {
    if (!this.#losing?.(request)) return
    this.#losing = undefined
    this.#blocked = true
    if (this.#losesRequest) {
      this.lost++
      to.destroy()
      from.destroy()
      return
    }
    to.unpipe(from)
    to.once('data', () => {
      this.lost++
      to.destroy()
      from.destroy()
    })
    to.resume()
  }

  /** @returns The URL of the proxy. */
  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `redis://127.0.0.1:${(this.#server.address() as AddressInfo).port}/0`
  }

  /** From now on nothing passes on existing connections; new ones work. */
  freeze(): void {
    for (const socket of this.#sockets) {
      socket.unpipe()
      socket.pause()
    }
  }

  /**
   * The next request that contains all parts is executed, but its reply is lost with the connection. New connections
   * are refused until `unblock`.
   */
  loseReplyTo(...parts: string[]): void {
    this.#losesRequest = false
    this.#losing = (request) => parts.every((part) => request.includes(part))
  }

  /** The same, but the request is not executed. */
  loseRequest(...parts: string[]): void {
    this.loseReplyTo(...parts)
    this.#losesRequest = true
  }

  /** Breaks all connections and refuses new ones until `unblock`. */
  block(): void {
    this.#blocked = true
    for (const socket of this.#sockets) socket.destroy()
  }

  unblock(): void {
    this.#blocked = false
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}
