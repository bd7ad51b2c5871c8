// Locks between processes, without a lock of the operating system: Node has none. A lock is a symbolic link that
// leads nowhere and names its holder: made whole and by one alone, in one step.
import { randomBytes } from 'node:crypto'
import { readlink, symlink, unlink } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Holder } from './holder.ts'

export interface Locks {
  /**
   * Runs while nobody else holds the lock at `path`.
   * - held by a process that lives, even if it stands still: waits, and throws after `timeoutMilliseconds`.
   * - held by one that is gone: takes the lock from it.
   * @throws what `run` throws, what the file system throws, or an error that says who holds the lock
   */
  hold<Result>(path: string, run: () => Promise<Result>): Promise<Result>
  /** Removes the lock if its holder is gone. */
  clear(path: string): Promise<void>
}

/** A holder is asked whether it lives after so many milliseconds: most locks are gone by then. */
const askAfter = 20

/**
 * Locks of one owner, who never asks for the same one twice at a time.
 *
 * Taking a lock from the dead is where such locks go wrong: two see the dead one, the first removes it and makes its
 * own, the second removes that. So removing needs a lock itself, named after that one holding of the dead one's.
 * Whoever has it looks again: if the link is still that holding, nobody else can remove it, for its holder is gone and
 * everybody else would need the lock that we have. If that lock's holder dies, the same rule takes it away.
 * No rule depends on time.
 * @example await createLocks(owner, 1000).hold('/var/lib/shop/sessions/locks/ab', change)
 */
export function createLocks(owner: Holder, timeoutMilliseconds: number): Locks {
  async function acquire(path: string, until: number): Promise<void> {
    const holding = `${owner.id}.${randomBytes(6).toString('hex')}`
    let nextAsk = performance.now() + askAfter
    while (!(await makeLink(holding, path))) {
      const other = await holderOf(path)
      if (other === undefined) continue
      const now = performance.now()
      if (now >= nextAsk && (await isGone(other))) {
        await remove(path, other, until)
        continue
      }
      if (now >= until) throw new Error(`${path} is held by ${other}.`)
      if (now >= nextAsk) nextAsk = now + askAfter * 10
      await sleep(1 + Math.random() * 3)
    }
  }

  async function isGone(holding: string): Promise<boolean> {
    const [id = ''] = holding.split('.')
    // Our own: we failed to remove it. We do not hold it, or we would not ask for it.
    return id === owner.id || !(await owner.isAlive(id))
  }

  async function remove(path: string, holding: string, until: number): Promise<void> {
    const permission = `${path}.${holding.split('.')[1] ?? ''}`
    await acquire(permission, until)
    try {
      if ((await holderOf(path)) === holding) await unlink(path)
    } finally {
      await unlink(permission)
    }
  }

  return {
    async hold(path, run) {
      // Whoever holds a lock must be seen to live.
      await owner.assertPresent()
      await acquire(path, performance.now() + timeoutMilliseconds)
      try {
        return await run()
      } finally {
        await unlink(path)
      }
    },
    async clear(path) {
      const holding = await holderOf(path)
      if (holding === undefined || !(await isGone(holding))) return
      await owner.assertPresent()
      await remove(path, holding, performance.now() + timeoutMilliseconds)
    },
  }
}

async function makeLink(holding: string, path: string): Promise<boolean> {
  try {
    await symlink(holding, path)
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
}

async function holderOf(path: string): Promise<string | undefined> {
  try {
    return await readlink(path)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
