// Which store the demo uses: the memcached that MEMCACHED names, else one that it finds and starts itself on a
// free loopback port, else memory. Owns that process: it ends with the demo.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { memcachedStore } from 'session-mirror/memcached'
import { memoryStore } from 'session-mirror/memory'
import type { Store } from 'session-mirror/server'
import { ask } from './memcached-facts.ts'

export interface Backend {
  readonly kind: 'memcached' | 'memory'
  /** Says to people which store this is, and why. */
  readonly description: string
  readonly address: string | null
  readonly store: Store
  /** Forgets every session, as a restart does. Undefined when the demo did not start the store. */
  readonly restart: (() => Promise<void>) | undefined
  close(): Promise<void>
}

export async function openBackend(): Promise<Backend> {
  const named = process.env['MEMCACHED']
  if (named) return usingNamed(named)
  const program = process.env['MEMCACHED_PATH'] ?? onPath('memcached')
  return program === undefined ? usingMemory() : startOwn(program)
}

function usingNamed(named: string): Backend {
  const servers = named.split(',')
  const copies = servers.length > 1 ? 2 : 1
  const spread = copies === 2 ? ', each session on two of them' : ''
  return {
    kind: 'memcached',
    // The inspector can look into one memcached. With several it would have to know which one has the key.
    address: copies === 1 ? named : null,
    store: memcachedStore({ servers, copies }),
    description: `memcached at ${servers.join(', ')}${spread} (from MEMCACHED)`,
    restart: undefined,
    close() {
      return this.store.close()
    },
  }
}

async function startOwn(program: string): Promise<Backend> {
  const port = await freePort()
  let child = await start(program, port)
  // The memcached must end with the demo, however the demo ends.
  process.once('exit', () => child.kill())
  return {
    ...usingMemcached(`127.0.0.1:${port}`),
    description: `memcached on 127.0.0.1:${port} (started by the demo, ends with it)`,
    async restart() {
      child.kill()
      await once(child, 'exit')
      child = await start(program, port)
    },
  }
}

function usingMemcached(address: string): Omit<Backend, 'description' | 'restart'> {
  const store = memcachedStore({ servers: address })
  return { kind: 'memcached', address, store, close: () => store.close() }
}

/** Memory that can be swapped for an empty one under a running server. */
function usingMemory(): Backend {
  let current = memoryStore()
  const store: Store = {
    name: 'memory',
    guarantees: current.guarantees,
    read: (...args) => current.read(...args),
    create: (...args) => current.create(...args),
    replace: (...args) => current.replace(...args),
    end: (...args) => current.end(...args),
    close: () => current.close(),
  }
  return {
    kind: 'memory',
    description: 'memory (no memcached was found; sessions end with this process)',
    address: null,
    store,
    restart: async () => {
      current = memoryStore()
    },
    close: () => current.close(),
  }
}

async function start(program: string, port: number): Promise<ChildProcess> {
  // memcached refuses to run as root unless `-u root` says so.
  const user = process.getuid?.() === 0 ? ['-u', 'root'] : []
  const child = spawn(program, ['-l', '127.0.0.1', '-p', String(port), '-U', '0', ...user], {
    stdio: 'ignore',
  })
  for (let attempt = 0; attempt < 100; attempt++) {
    if ((await ask(`127.0.0.1:${port}`, 'version\r\n')) !== undefined) return child
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  child.kill()
  throw new Error(`${program} does not answer on port ${port}.`)
}

function onPath(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file))
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
