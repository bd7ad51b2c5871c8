// Where everything is: `owners/` has a socket for each store, `locks/` a link for each lock, and 256 folders have
// the sessions.
import { createHash } from 'node:crypto'
import { accessSync, constants, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { SessionError } from '../../protocol/errors.ts'
import { fitsSockets } from './holder.ts'

/** Of a session's file, and of the beginning of a lock. */
export const nameLength = 64

/** Never the key itself: as a name it could lead out of the directory, and whoever lists it would read keys. */
export function nameOf(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}

/**
 * The directory's absolute path, made with what belongs in it.
 * @throws SessionError `invalid-option` when it cannot be made, written, or is too long for a socket
 */
export function makeDirectory(path: string): string {
  if (path === '' || path.includes('\0')) throw invalid('directory takes the path of a directory.')
  // Absolute: the process may change its directory later.
  const directory = resolve(path)
  if (!fitsSockets(join(directory, 'owners'))) throw invalid(`${directory} is too long: 79 bytes at most.`)
  try {
    for (const part of ['owners', 'locks']) mkdirSync(join(directory, part), { recursive: true, mode: 0o700 })
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (cause) {
    throw new SessionError('invalid-option', `${directory} cannot be used.`, { cause })
  }
  return directory
}

export function invalid(message: string): SessionError {
  return new SessionError('invalid-option', message)
}
