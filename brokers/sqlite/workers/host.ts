/** Identifies this machine, and checks whether another process on it is dead. */
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/**
 * Identifies the machine, its boot and the process namespace: within the same name, a process id means the same
 * process. `undefined` if that is unknown; then only heartbeats show whether a process is alive.
 */
export const hostId = readHostId()

function readHostId(): string | undefined {
  if (process.platform !== 'linux') return hostname()
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${hostname()} ${boot} ${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return undefined
  }
}

/** Whether there is certainly no process with that id on this host. */
export function isDead(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
