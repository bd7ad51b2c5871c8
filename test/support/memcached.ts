// A real memcached for tests: on a free loopback port, ended by its own process id.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'

export interface Memcached {
  readonly address: string
  /** Ends it; with `restart`, an empty one takes its port. */
  kill(): Promise<void>
  restart(): Promise<void>
  /** Stops answering without closing anything (SIGSTOP), until `thaw`. */
  freeze(): Promise<void>
  thaw(): void
}

export async function startMemcached(options: readonly string[] = []): Promise<Memcached> {
  const port = await freePort()
  let child = await start(port, options)

  async function kill(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  return {
    address: `127.0.0.1:${port}`,
    kill,
    async restart() {
      await kill()
      child = await start(port, options)
    },
    async freeze() {
      child.kill('SIGSTOP')
      // The signal reaches the threads one by one; an answer that was on its way would still come.
      while (child.pid !== undefined && !isStopped(child.pid))
        await new Promise((resolve) => setTimeout(resolve, 1))
    },
    thaw: () => void child.kill('SIGCONT'),
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function start(port: number, options: readonly string[]): Promise<ChildProcess> {
  const user = process.getuid?.() === 0 ? ['-u', 'root'] : []
  const command = process.env['MEMCACHED_PATH'] ?? 'memcached'
  const child = spawn(command, ['-l', '127.0.0.1', '-p', String(port), '-U', '0', ...user, ...options], {
    stdio: 'ignore',
  })
  // A test run that is interrupted must leave nothing behind.
  process.once('exit', () => child.kill('SIGKILL'))
  for (let attempt = 0; attempt < 200; attempt++) {
    if (await answers(port)) return child
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  child.kill('SIGKILL')
  throw new Error(`memcached did not answer on port ${port}`)
}

/** Whether every thread of a process is stopped, where there is a /proc that tells. */
function isStopped(pid: number): boolean {
  const tasks = `/proc/${pid}/task`
  if (!existsSync(tasks)) return true
  return readdirSync(tasks).every((task) =>
    / T /.test(readFileSync(`${tasks}/${task}/stat`, 'utf8').slice(0, 60)),
  )
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
