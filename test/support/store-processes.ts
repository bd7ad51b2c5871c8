// Processes that share a store, and what becomes of it when they are killed.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { until } from './waiting.ts'

export const isRoot = process.getuid?.() === 0
const script = join(import.meta.dirname, 'store-child.ts')

const directories: string[] = []
afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})

/** A new directory until the end of the test file, with a short name: the address of a socket has to fit. */
export function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'store-'))
  directories.push(directory)
  return directory
}

export interface Running {
  readonly child: ChildProcess
  /** All that it has said so far. */
  readonly said: () => string
  /** Resolves with all that it said when it has ended. */
  readonly ended: Promise<string>
}

export function startChild(args: readonly string[], options: SpawnOptions = {}): Running {
  const child = spawn(process.execPath, [script, ...args], {
    // Node reads the same TypeScript for each of them; the cache makes that cheap.
    env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'session-mirror-compile-cache') },
    stdio: ['ignore', 'pipe', 'inherit'],
    ...options,
  })
  let said = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  return { child, said: () => said, ended: once(child, 'close').then(() => said) }
}

/** Runs one task in several processes at once; what each of them said last, parsed. */
export async function inProcesses<Result>(count: number, args: readonly string[]): Promise<Result[]> {
  const all = await Promise.all(Array.from({ length: count }, () => startChild(args).ended))
  return all.map((said) => JSON.parse(said) as Result)
}

/** Runs the endless task and kills it at a random moment after `writes` acknowledged ones: all that was acknowledged. */
export async function killInTheMiddle(args: readonly string[], writes: number): Promise<string[]> {
  const running = startChild(args)
  const isEnough = (): boolean => running.said().split('\n').length > writes
  await until('the process has written', isEnough, { interval: 1 })
  running.child.kill('SIGKILL')
  const lines = (await running.ended).split('\n')
  // The last one may be cut.
  return lines.slice(0, -1)
}
