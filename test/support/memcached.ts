// A real memcached for tests: on a free loopback port or a Unix socket, ended by its own process id.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { type Program, freePort, startProgram } from './programs.ts'
import { sleep } from './waiting.ts'

export { freePort } from './programs.ts'

export interface Memcached {
  readonly address: string
  /** Ends it; with `restart`, another one takes its port. */
  kill(): Promise<void>
  /** @param signal to end it with; after SIGUSR1 one with `-e` has what it had. @default SIGKILL */
  restart(signal?: 'SIGKILL' | 'SIGTERM' | 'SIGUSR1', pauseMilliseconds?: number): Promise<void>
  /** Stops answering without closing anything (SIGSTOP), until `thaw`. */
  freeze(): Promise<void>
  thaw(): void
}

/** With a `socketPath` it listens there alone. */
export async function startMemcached(
  options: readonly string[] = [],
  socketPath?: string,
): Promise<Memcached> {
  const port = await freePort()
  const user = process.getuid?.() === 0 ? ['-u', 'root'] : []
  const place =
    socketPath === undefined ? ['-l', '127.0.0.1', '-p', String(port), '-U', '0'] : ['-s', socketPath]
  const start = (): Promise<Program> =>
    startProgram({
      command: process.env['MEMCACHED_PATH'] ?? 'memcached',
      args: [...place, ...user, ...options],
      ready: socketPath === undefined ? { port } : { path: socketPath },
    })
  let program = await start()

  return {
    address: socketPath ?? `127.0.0.1:${port}`,
    kill: () => program.kill(),
    async restart(signal = 'SIGKILL', pauseMilliseconds = 0) {
      await program.kill(signal)
      await sleep(pauseMilliseconds)
      program = await start()
    },
    async freeze() {
      const { child } = program
      child.kill('SIGSTOP')
      // The signal reaches the threads one by one; an answer that was on its way would still come.
      while (child.pid !== undefined && !isStopped(child.pid)) await sleep(1)
    },
    thaw: () => void program.child.kill('SIGCONT'),
  }
}

/** Whether every thread of a process is stopped, where there is a /proc that tells. */
function isStopped(pid: number): boolean {
  const tasks = `/proc/${pid}/task`
  if (!existsSync(tasks)) return true
  return readdirSync(tasks).every((task) =>
    / T /.test(readFileSync(`${tasks}/${task}/stat`, 'utf8').slice(0, 60)),
  )
}
