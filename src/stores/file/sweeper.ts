// Removes what has expired and what killed processes left, one folder at a time, and never what somebody uses.
import { lstat, readdir, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../protocol/clock.ts'
import { holdersIn, locksIn } from './directory.ts'

export interface SweeperOptions {
  readonly directory: string
  /** Milliseconds since 1970. */
  readonly clock: Clock
  /** Runs while nobody else writes the file of this name. */
  readonly alone: (name: string, run: () => Promise<void>) => Promise<void>
  /** Removes the lock of this name if its holder is gone. */
  readonly clearLock: (name: string) => Promise<void>
  /** Whether the holder with this id may still run. */
  readonly isAlive: (holderId: string) => Promise<boolean>
  /** Between two folders. @default 10_000, so that all folders take 43 minutes */
  readonly everyMilliseconds?: number
}

export interface Sweeper {
  /** Sweeps the next folder, unless it is too early. Never throws: what cannot be removed is tried again later. */
  nudge(): void
  /** Resolves when no folder is being swept. */
  idle(): Promise<void>
  /** Sweeps no more; resolves when no folder is being swept. */
  close(): Promise<void>
}

const folders = 256
const ours = /^[0-9a-f]{64}(\.new)?$/
/**
 * Nothing is removed earlier than this after its end. A reader may be stopped between looking at a lifetime and
 * extending it, and a lock or a socket takes a moment to be ready.
 */
const graceMilliseconds = 60_000

/** @example createSweeper(options).nudge() */
export function createSweeper(options: SweeperOptions): Sweeper {
  const { everyMilliseconds = 10_000 } = options
  let next = Math.floor(Math.random() * folders)
  let notBefore = 0
  let running: Promise<void> | undefined
  let isClosed = false

  async function sweep(): Promise<void> {
    const folder = (next++ % folders).toString(16).padStart(2, '0')
    for await (const step of stepsOf(folder, options)) {
      if (isClosed) return
      await tryTo(step)
    }
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

type Step = () => Promise<void>

/** All that one sweep does, step by step. */
async function* stepsOf(folder: string, options: SweeperOptions): AsyncGenerator<Step> {
  const { directory, clearLock, isAlive } = options
  for (const name of await namesIn(join(directory, folder))) {
    // Do NOT touch other names, because they are somebody else's files.
    if (ours.test(name)) yield () => sweepFile(join(directory, folder, name), name, options)
  }
  for (const name of await namesIn(locksIn(directory))) {
    yield async () => {
      if (await isOld(join(locksIn(directory), name))) await clearLock(name)
    }
  }
  for (const name of await namesIn(holdersIn(directory))) {
    yield async () => {
      const path = join(holdersIn(directory), name)
      if ((await isOld(path)) && !(await isAlive(name))) await unlink(path)
    }
  }
}

async function sweepFile(path: string, name: string, { alone, clock }: SweeperOptions): Promise<void> {
  const isDraft = name.endsWith('.new')
  const isWaste = async (): Promise<boolean> =>
    isDraft ? isOld(path) : (await stat(path)).mtimeMs + graceMilliseconds < clock()
  if (!(await isWaste())) return
  await alone(name.replace('.new', ''), async () => {
    // It may have been written anew in the meantime.
    if (await isWaste()) await unlink(path)
  })
}

function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => [])
}

/** By the time of the last change of any kind, which nobody can set. */
async function isOld(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined)
  return found !== undefined && found.ctimeMs + graceMilliseconds < Date.now()
}

async function tryTo(step: Step): Promise<void> {
  try {
    await step()
  } catch {
    // Somebody else was quicker, or may not: it is tried again when the turn of this folder comes.
  }
}
