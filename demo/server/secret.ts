// The demo's signing secret, kept so that a restart of the demo ends nobody's session. It lies outside the project:
// Vite's development server hands out every file of the folders that it may read.
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Reads the secret, or makes one at the first start: 64 hexadecimal characters, readable by this user alone. */
export function demoSecret(): string {
  const folder = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'session-mirror-demo')
  const file = join(folder, 'secret')
  if (!existsSync(file)) {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeFileSync(file, randomBytes(32).toString('hex'), { mode: 0o600 })
  }
  return readFileSync(file, 'utf8')
}
