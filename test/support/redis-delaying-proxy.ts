/** A proxy to Redis that can delay a request: the sender's connection breaks, and the request arrives on `deliver`. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Test } from 'tap'

export class DelayingProxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #held: { readonly request: Buffer; readonly to: Socket }[] = []
  #wanted: readonly string[] | undefined

  constructor(port: number) {
    this.#server = createServer((from) => {
      const to = connect(port, '127.0.0.1')
      for (const socket of [from, to]) {
        this.#sockets.add(socket)
        socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket))
      }
      from.on('data', (request) => {
        if (!this.#wanted?.every((part) => request.includes(part))) return void to.write(request)
        this.#wanted = undefined
        this.#held.push({ request, to })
        from.resetAndDestroy()
      })
      to.on('data', (answer) => from.writable && from.write(answer))
    })
  }

  /** @returns The URL of the proxy, which is closed when the test ends. */
  async open(t: Test): Promise<string> {
    t.teardown(() => this.#close())
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `redis://127.0.0.1:${(this.#server.address() as AddressInfo).port}/0`
  }

  /** The next request that contains all parts is held back, and its sender's connection is reset. */
  holdBack(...parts: string[]): void {
    this.#wanted = parts
  }

  get held(): number {
    return this.#held.length
  }

  /** Delivers the requests that were held back; resolves when Redis has replied. */
  async deliver(): Promise<void> {
    for (const { request, to } of this.#held.splice(0)) {
      const answered = once(to, 'data')
      to.write(request)
      await answered
    }
  }

  #close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}
