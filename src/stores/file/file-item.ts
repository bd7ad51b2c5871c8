// One session in one file: a head with the token, then the value. A file is never changed, only replaced: a reader
// sees the old one or the new one. The end of the lifetime is the file's modification time: it moves in one step,
// without touching the bytes, and whoever sweeps need not open the file. A copy that does not keep the times
// (`cp` without -p) is expired: the safe side.
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { hasCode } from './locks.ts'

export interface FileItem {
  readonly token: string
  readonly value: Uint8Array
}

/** Which format, then the token. */
const head = /^session-mirror 1 ([0-9a-f-]{36})\n$/
const headBytes = 54

/**
 * What is in the file, if it is not expired at `now`; with `expires` its lifetime ends then.
 * Missing or expired: `undefined`.
 * @throws what the file system throws, or an error when the file is not one of ours
 */
export async function readFileItem(
  path: string,
  { now, expires }: { readonly now: number; readonly expires: number | null },
): Promise<FileItem | undefined> {
  const file = await openIfThere(path)
  if (file === undefined) return undefined
  try {
    const { mtimeMs } = await file.stat()
    if (mtimeMs <= now) return undefined
    const bytes = await file.readFile()
    const [, token] = head.exec(bytes.toString('latin1', 0, headBytes)) ?? []
    if (token === undefined) throw new Error(`${path} is not a session.`)
    // By the open file, not by its name: that may be another one's by now, with a lifetime of its own.
    if (expires !== null) await file.utimes(expires / 1000, expires / 1000)
    return { token, value: new Uint8Array(bytes.subarray(headBytes)) }
  } finally {
    await file.close()
  }
}

/**
 * Puts a file in the place of whatever is there, in one step, and on the disk before it resolves. Nobody else may
 * write it meanwhile.
 * - a failure: what was there is still there, unless the very last flush failed; then it is either.
 * @throws what the file system throws: no room, no permission, no directory
 */
export async function writeFileItem(path: string, entry: FileItem, expires: number): Promise<void> {
  // One name for each key: what a killed process left is overwritten by the next writer.
  const draft = `${path}.new`
  try {
    const file = await openDraft(draft)
    try {
      await file.writeFile(Buffer.concat([Buffer.from(`session-mirror 1 ${entry.token}\n`), entry.value]))
      await file.utimes(expires / 1000, expires / 1000)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
  } catch (error) {
    await unlink(draft).catch(() => undefined)
    throw error
  }
  await syncDirectory(dirname(path))
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

async function openDraft(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'w', 0o600)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
    // The first of its folder. Not recursive: a directory that was removed stays removed.
    const folder = dirname(path)
    await mkdir(folder, 0o700).catch((failure: unknown) => {
      if (!hasCode(failure, 'EEXIST')) throw failure
    })
    await syncDirectory(dirname(folder))
    return open(path, 'w', 0o600)
  }
}

/** A name is durable only when its directory is. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
