/** The input: several hundred texts from `node_modules`, the same ones each time. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../../node_modules/', import.meta.url))

const kinds = [
  { kind: 'readme', pattern: /^readme(\.md|\.txt)?$/i, most: 250 },
  { kind: 'licence', pattern: /^(licen[cs]e|copying)(\.md|\.txt)?$/i, most: 150 },
  { kind: 'declarations', pattern: /\.d\.[cm]?ts$/, most: 400 },
]

/** Texts of each kind, from 200 bytes to 200 kilobytes, evenly selected from all files. */
export function findTexts() {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => ({ name: entry.name, path: join(entry.parentPath ?? entry.path, entry.name) }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
  return kinds.flatMap(({ kind, pattern, most }) => {
    const found = files.filter(({ name, path }) => pattern.test(name) && isReadable(path))
    const step = Math.max(1, found.length / most)
    const count = Math.min(most, found.length)
    return Array.from({ length: count }, (_, index) => ({ kind, path: found[Math.floor(index * step)].path }))
  })
}

function isReadable(path) {
  const { size } = statSync(path)
  return size >= 200 && size <= 200_000
}
