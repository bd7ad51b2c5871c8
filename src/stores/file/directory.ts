// What is where in the directory of the file store: `owners/` has a socket for each open store, `locks/` a link for
// each lock that is held, and up to 256 folders have the sessions.
import { createHash } from 'node:crypto'
import { accessSync, constants, mkdirSync, readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { SessionError } from '../../protocol/errors.ts'
import { fitsSockets } from './holder.ts'

/** Characters of a session's file name, and of the beginning of a lock's name. */
export const nameLength = 64

/**
 * The name of a session's file: a hash of its key. Do NOT use the key itself, because as a name it could lead out of
 * the directory, and whoever lists the directory would read keys.
 */
export function nameOf(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}

/** Where the sockets of open stores are. The name is part of the format: older versions look there, too. */
export function holdersIn(directory: string): string {
  return join(directory, 'owners')
}

/** Where the locks are. */
export function locksIn(directory: string): string {
  return join(directory, 'locks')
}

/** Where the file of a session is. */
export function pathOf(directory: string, name: string): string {
  return join(directory, name.slice(0, 2), name)
}

/**
 * The directory's absolute path, made with what belongs in it.
 * @throws SessionError `invalid-option` when it cannot be made or written, when others may write there, or when it is too long for a socket
 */
export function makeDirectory(path: string): string {
  if (path === '' || path.includes('\0')) {
    throw new SessionError(
      'invalid-option',
      `directory must be the path of a directory, not ${JSON.stringify(path)}.`,
    )
  }
  // Absolute: the process may change its directory later.
  const directory = resolve(path)
  if (!fitsSockets(holdersIn(directory))) {
    throw new SessionError(
      'invalid-option',
      `directory may have a path of 79 bytes at most, and ${directory} is longer: choose a shorter one.`,
    )
  }
  try {
    for (const part of [holdersIn(directory), locksIn(directory)]) {
      mkdirSync(part, { recursive: true, mode: 0o700 })
    }
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (cause) {
    throw new SessionError(
      'invalid-option',
      `directory cannot be used: ${directory} cannot be made, read or written (${String(cause)}).`,
      { cause },
    )
  }
  for (const part of [directory, holdersIn(directory), locksIn(directory), ...foldersIn(directory)])
    checkMode(part)
  return directory
}

/** The folders that have sessions already: a copy or a backup may have given them other modes. */
function foldersIn(directory: string): readonly string[] {
  const names = readdirSync(directory).filter((name) => /^[0-9a-f]{2}$/.test(name))
  return names.map((name) => join(directory, name))
}

/** Bits of a mode that let the group or everybody write. */
const writableByOthers = 0o022

/**
 * Whoever may write there can take files away, so that sessions end, and put old ones back, so that they come to life
 * again. Windows has no such bits.
 */
function checkMode(path: string): void {
  const mode = (statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o7777
  if (process.platform === 'win32' || (mode & writableByOthers) === 0) return
  throw new SessionError(
    'invalid-option',
    `directory must be writable by its user alone, and ${path} has the mode ${mode.toString(8)}: others could remove sessions, or put old ones back. Run chmod go-w on it, or choose another one.`,
  )
}
