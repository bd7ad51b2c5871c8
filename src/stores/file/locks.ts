// Locks between processes. Node offers no lock of the operating system, so a lock is a symbolic link that leads
// nowhere and names its holder: the system makes it whole, in one step, and for one process alone.
import { randomBytes } from 'node:crypto'
import { readlink, symlink, unlink } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Holder } from './holder.ts'
import { hasErrorCode } from './system-error.ts'

export interface Locks {
  /**
   * Runs `run` while nobody else holds the lock at `path`.
   * - held by a process that runs or was stopped: waits, and throws after `timeoutMilliseconds`.
   * - held by a process that is gone: takes the lock from it.
   * @throws what `run` throws, what the file system throws, or an error that says who holds the lock
   */
  hold<Result>(path: string, run: () => Promise<Result>): Promise<Result>
  /** Removes the lock at `path` if its holder is gone. */
  clear(path: string): Promise<void>
}

/** A lock that is held longer than this has its holder asked whether it still runs: most are gone by then. */
const firstQuestionMilliseconds = 20
/** After that it is asked once in this time. */
const nextQuestionMilliseconds = 200

/**
 * Creates the locks of one holder, who must never ask for the same lock twice at a time.
 *
 * Taking a lock from a process that is gone is where such locks go wrong: two see the lock, the first removes it and
 * makes its own, and the second removes that one. So removing needs a lock itself, whose name says which holding of
 * which lock is to be removed. Whoever has it looks again: if the link still is that holding, nobody else can
 * remove it, because its holder is gone and everybody else would need the lock that we have. If the process that
 * removes dies, too, the same rule takes its lock away. No rule depends on time.
 * @example await createLocks(holder, 1000).hold('/var/lib/shop/sessions/locks/ab', change)
 */
export function createLocks(holder: Holder, timeoutMilliseconds: number): Locks {
  async function acquire(path: string, until: number): Promise<void> {
    const holding = `${holder.id}.${randomBytes(6).toString('hex')}`
    let nextQuestion = performance.now() + firstQuestionMilliseconds
    while (!(await makeLink(holding, path))) {
      const other = await holdingAt(path)
      if (other === undefined) continue
      const now = performance.now()
      if (now >= nextQuestion && (await isGone(other))) {
        await remove(path, other, until)
        continue
      }
      if (now >= until) throw new Error(`The lock ${path} is held by ${other}, and was not freed in time.`)
      if (now >= nextQuestion) nextQuestion = now + nextQuestionMilliseconds
      await sleep(1 + Math.random() * 3)
    }
  }

  async function isGone(holding: string): Promise<boolean> {
    const [id = ''] = holding.split('.')
    // One of ours that we failed to remove: if we held it, we would not ask for it.
    return id === holder.id || !(await holder.isAlive(id))
  }

  async function remove(path: string, holding: string, until: number): Promise<void> {
    const permission = `${path}.${holding.split('.')[1] ?? ''}`
    await acquire(permission, until)
    try {
      if ((await holdingAt(path)) === holding) await unlink(path)
    } finally {
      await unlink(permission)
    }
  }

  return {
    async hold(path, run) {
      // Others must be able to see that the holder of the lock runs.
      await holder.assertPresent()
      await acquire(path, performance.now() + timeoutMilliseconds)
      try {
        return await run()
      } finally {
        await unlink(path)
      }
    },
    async clear(path) {
      const holding = await holdingAt(path)
      if (holding === undefined || !(await isGone(holding))) return
      await holder.assertPresent()
      await remove(path, holding, performance.now() + timeoutMilliseconds)
    },
  }
}

async function makeLink(holding: string, path: string): Promise<boolean> {
  try {
    await symlink(holding, path)
    return true
  } catch (error) {
    if (hasErrorCode(error, 'EEXIST')) return false
    throw error
  }
}

async function holdingAt(path: string): Promise<string | undefined> {
  try {
    return await readlink(path)
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined
    throw error
  }
}
