// What the path of the SQLite store may be.
import { statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { SessionError } from '../../protocol/errors.ts'

/**
 * The absolute path of the database file, which may be missing.
 * @throws SessionError `invalid-option` for what is no path, for a missing directory, and when something else than a
 * file is there
 */
export function checkPath(path: string): string {
  if (path === '' || path.includes('\0') || path.startsWith(':memory:') || path.startsWith('file:')) {
    throw new SessionError('invalid-option', `path must be the path of a file, not ${JSON.stringify(path)}.`)
  }
  // Absolute: the process may change its directory later. And no absolute path is taken for a URI.
  const absolute = resolve(path)
  if (statSync(dirname(absolute), { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new SessionError(
      'invalid-option',
      `path is in a directory that does not exist: make ${dirname(absolute)} first.`,
    )
  }
  if (statSync(absolute, { throwIfNoEntry: false })?.isFile() === false) {
    throw new SessionError(
      'invalid-option',
      `path must be the path of a file, and something else is at ${absolute}.`,
    )
  }
  return absolute
}
