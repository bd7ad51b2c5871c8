// Servers for tests: each on loopback ports of its own, ended by its own process id.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { sleep } from './waiting.ts'

export interface Program {
  readonly child: ChildProcess
  /** Ends it, with SIGKILL unless told otherwise. Repeated: does nothing. */
  kill(signal?: NodeJS.Signals): Promise<void>
}

export interface ProgramOptions {
  readonly command: string
  readonly args: readonly string[]
  /** A port of 127.0.0.1 (or `host`), or the path of a Unix socket, that it answers on. */
  readonly ready: { readonly port: number; readonly host?: string } | { readonly path: string }
}

/** Those that run. A test that fails does not come to end its own. */
const running = new Set<Program>()
if (process.env['VITEST'] !== undefined) {
  // Benchmarks start programs, too, without vitest.
  const { afterAll } = await import('vitest')
  afterAll(() => Promise.all([...running].map((program) => program.kill())))
}

/** Starts a program and waits until it answers. @throws Error with what it wrote when it does not */
export async function startProgram({ command, args, ready }: ProgramOptions): Promise<Program> {
  // Debian keeps servers out of the PATH of ordinary users.
  const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` }
  const child = spawn(command, [...args], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)))
  child.on('error', (error) => (said += String(error)))
  const killNow = (): void => void child.kill('SIGKILL')
  // A test run that is interrupted must leave nothing behind.
  process.once('exit', killNow)

  async function kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    process.off('exit', killNow)
    running.delete(program)
    if (hasEnded(child)) return
    child.kill(signal)
    await once(child, 'exit')
  }

  const program = { child, kill }
  running.add(program)
  for (let attempt = 0; attempt < 1000 && !hasEnded(child); attempt++) {
    if (await answers(ready)) return program
    await sleep(10)
  }
  await kill()
  throw new Error(`${command} ${args.join(' ')} did not answer: ${said}`)
}

export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = createServer().listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

function hasEnded({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid === undefined || exitCode !== null || signalCode !== null
}

function answers(ready: ProgramOptions['ready']): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect('port' in ready ? { host: '127.0.0.1', ...ready } : ready)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
