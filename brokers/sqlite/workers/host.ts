/** Which machine this is, and whether another process on it is dead. */
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/**
 * Names the machine, its boot and the process namespace: a process id means the same thing to all who share this name.
 * `undefined` where that can't be told; then only heartbeats tell the living from the dead.
 */
export const host = identify()

function identify(): string | undefined {
  if (process.platform !== 'linux') return hostname()
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${hostname()} ${boot} ${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return undefined
  }
}

/** Whether there is certainly no process of that id on this host. */
export function isDead(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
