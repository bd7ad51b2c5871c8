// One session in one file: a head with the token, then the value. A file is never changed, only replaced: a reader
// sees the old one or the new one. Its lifetime ends at the file's modification time. That moves in one step, without
// touching the bytes, and can be looked at without opening the file. A copy that does not keep the times (`cp`
// without -p) counts as expired, which is the safe side.
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { hasErrorCode } from './system-error.ts'

export interface FileItem {
  /** A new random UUID with every write. */
  readonly token: string
  readonly value: Uint8Array
}

/** The format, then the token. */
const headPattern = /^session-mirror 1 ([0-9a-f-]{36})\n$/
const headBytes = 54

/** Both in milliseconds since 1970. */
export interface ReadOptions {
  readonly now: number
  /** The new end of the lifetime; null leaves it as it is. */
  readonly expires: number | null
}

/**
 * What is in the file, unless it has expired; then, or when there is no file: undefined.
 * @throws what the file system throws, or an error when the file is not one of ours
 */
export async function readFileItem(
  path: string,
  { now, expires }: ReadOptions,
): Promise<FileItem | undefined> {
  const file = await openIfThere(path)
  if (file === undefined) return undefined
  try {
    const { mtimeMs } = await file.stat()
    if (mtimeMs <= now) return undefined
    const bytes = await file.readFile()
    const [, token] = headPattern.exec(bytes.toString('latin1', 0, headBytes)) ?? []
    if (token === undefined) {
      throw new Error(`${path} is not a session of this store: it was cut, or something else wrote it.`)
    }
    // By the open file, not by its name: that may be another file by now, with a lifetime of its own.
    if (expires !== null) await file.utimes(expires / 1000, expires / 1000)
    return { token, value: new Uint8Array(bytes.subarray(headBytes)) }
  } finally {
    await file.close()
  }
}

/**
 * Puts a file in the place of whatever is there, in one step, and flushes it to the disk before it resolves. Nobody
 * else may write the file meanwhile.
 * - it fails: what was there is still there, unless the very last flush failed; then it is the old or the new one.
 * @param expires milliseconds since 1970
 * @throws what the file system throws: no room, no permission, no directory
 */
export async function writeFileItem(path: string, item: FileItem, expires: number): Promise<void> {
  // One name for each key, so that the next writer overwrites what a killed one left.
  const draft = `${path}.new`
  try {
    const file = await openDraft(draft)
    try {
      await file.writeFile(Buffer.concat([Buffer.from(`session-mirror 1 ${item.token}\n`), item.value]))
      await file.utimes(expires / 1000, expires / 1000)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
  } catch (error) {
    // The first failure is the one to tell of; a draft that stays is swept later.
    await unlink(draft).catch(() => undefined)
    throw error
  }
  await syncDirectory(dirname(path))
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined
    throw error
  }
}

async function openDraft(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'w', 0o600)
  } catch (error) {
    if (!hasErrorCode(error, 'ENOENT')) throw error
    // The first of its folder. Do NOT make it recursively, because a directory that was removed must stay removed.
    const folder = dirname(path)
    await mkdir(folder, 0o700).catch((failure: unknown) => {
      if (!hasErrorCode(failure, 'EEXIST')) throw failure
    })
    await syncDirectory(dirname(folder))
    return open(path, 'w', 0o600)
  }
}

/** A name is on the disk only when its directory is. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
