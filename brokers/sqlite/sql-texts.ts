/**
 * The texts of the `.sql` files of this folder, by path. From source they are read; the build writes them into this
 * module, so that bundlers include them.
 */
import { readdirSync, readFileSync } from 'node:fs'

const folder = new URL('./', import.meta.url)

export const texts: Readonly<Record<string, string>> = Object.fromEntries(
  ['schema.sql', ...readdirSync(new URL('migrations/', folder)).map((name) => `migrations/${name}`)].map((path) => [
    path,
    readFileSync(new URL(path, folder), 'utf8'),
  ]),
)
