// Removes what has expired, and what killed processes left, folder by folder and never in anybody's way.
import { readdir, stat, unlink, lstat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../protocol/clock.ts'

export interface SweepOptions {
  readonly directory: string
  readonly clock: Clock
  /** Runs while nobody else writes this file. */
  readonly alone: (name: string, run: () => Promise<void>) => Promise<void>
  /** Removes a lock whose holder is gone. */
  readonly clearLock: (name: string) => Promise<void>
  readonly isAlive: (owner: string) => Promise<boolean>
  /** Between two folders. @default 10_000: all of them take 43 minutes */
  readonly everyMilliseconds?: number
}

export interface Sweeper {
  /** Sweeps the next folder, unless it is too early. Never throws: what cannot be removed stays. */
  nudge(): void
  /** Resolves when no folder is being swept. */
  idle(): Promise<void>
  close(): Promise<void>
}

const folders = 256
const ours = /^[0-9a-f]{64}(\.new)?$/
/**
 * A reader that stands still between looking at a lifetime and extending it does so within this time; a lock or a
 * socket is ready within it.
 */
const graceMilliseconds = 60_000

/** @example createSweeper(options).nudge() */
export function createSweeper(options: SweepOptions): Sweeper {
  const { directory, clock, alone, clearLock, isAlive, everyMilliseconds = 10_000 } = options
  let next = Math.floor(Math.random() * folders)
  let notBefore = 0
  let running: Promise<void> | undefined
  let isClosed = false

  async function sweep(): Promise<void> {
    const folder = (next++ % folders).toString(16).padStart(2, '0')
    for (const name of await namesIn(folder)) {
      if (isClosed) return
      // Somebody else's file is none of our business.
      if (!ours.test(name)) continue
      await tryTo(() => sweepFile(join(directory, folder, name), name))
    }
    for (const name of await namesIn('locks')) {
      if (isClosed) return
      if (await isOld(join(directory, 'locks', name))) await tryTo(() => clearLock(name))
    }
    for (const name of await namesIn('owners')) {
      if (isClosed) return
      const path = join(directory, 'owners', name)
      if ((await isOld(path)) && !(await isAlive(name))) await tryTo(() => unlink(path))
    }
  }

  async function sweepFile(path: string, name: string): Promise<void> {
    const isDraft = name.endsWith('.new')
    const isWaste = async (): Promise<boolean> =>
      isDraft ? isOld(path) : (await stat(path)).mtimeMs + graceMilliseconds < clock()
    if (!(await isWaste())) return
    await alone(name.replace('.new', ''), async () => {
      // Somebody may have written it in the meantime.
      if (await isWaste()) await unlink(path)
    })
  }

  function namesIn(folder: string): Promise<string[]> {
    return readdir(join(directory, folder)).catch(() => [])
  }

  return {
    nudge() {
      const now = performance.now()
      if (running !== undefined || isClosed || now < notBefore) return
      notBefore = now + everyMilliseconds
      running = sweep().finally(() => {
        running = undefined
      })
    },
    async idle() {
      await running
    },
    async close() {
      isClosed = true
      await running
    },
  }
}

/** By the time of the last change in any respect, which nobody can set. */
async function isOld(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined)
  return found !== undefined && found.ctimeMs + graceMilliseconds < Date.now()
}

async function tryTo(run: () => Promise<void>): Promise<void> {
  try {
    await run()
  } catch {
    // It is tried again when this folder's turn comes.
  }
}
