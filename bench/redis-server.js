/** A redis-server for the benchmark: on a free port, in a temporary folder, without persistence. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export async function startRedis() {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address()
  probe.close()
  await once(probe, 'close')
  const folder = mkdtempSync(join(tmpdir(), 'dramatis-bench-redis-'))
  const flags = [
    '--port',
    port,
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--save',
    '',
    '--appendonly',
    'no',
    '--maxmemory-policy',
    'noeviction',
  ]
  const server = spawn('redis-server', flags.map(String), { stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const line of server.stdout) if (String(line).includes('Ready to accept connections')) break
  server.stdout.resume()
  const cli = (...words) => execFileSync('redis-cli', ['-p', String(port), ...words], { stdio: 'ignore' })
  return {
    url: `redis://127.0.0.1:${port}`,
    flush: () => cli('FLUSHALL'),
    async stop() {
      server.kill()
      await once(server, 'exit')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
