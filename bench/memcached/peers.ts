// The other clients, with only the calls that are measured. Their own types promise too much or are missing; the answers
// are checked instead.
import { createRequire } from 'node:module'

export interface Peer {
  readonly name: string
  /** A string for clients that return one for values that they did not store themselves. */
  get(key: string): Promise<Buffer | string>
  /** Undefined when the client has no compare-and-swap. */
  readonly swap?: ((key: string, value: Buffer) => Promise<boolean>) | undefined
  close(): void
}

type Done<T> = (error: Error | undefined, result: T) => void
type Loaded = Readonly<Record<string, new (...options: unknown[]) => never>>

const load = createRequire(import.meta.url) as (
  name: string,
) => Loaded & (new (...options: unknown[]) => never)
const asPromise = <T>(ask: (done: Done<T>) => void): Promise<T> =>
  new Promise((resolve, reject) =>
    ask((error, result) => (error === undefined || error === null ? resolve(result) : reject(error))),
  )
const construct = <T>(made: new (...options: unknown[]) => never, ...options: unknown[]): T =>
  new made(...options) as T // What each of them is, is written where it is used.

function exported(name: string, from: string): new (...options: unknown[]) => never {
  const found = load(from)[name]
  if (found === undefined) throw new Error(`${from} exports no ${name}.`)
  return found
}

interface MemcacheClient {
  get(key: string): Promise<{ readonly value: Buffer | string }>
  gets(key: string): Promise<{ readonly casUniq: unknown }>
  cas(key: string, value: Buffer, options: object): Promise<readonly string[]>
  shutdown(): void
}

export function memcacheClient(server: string): Peer {
  const client = construct<MemcacheClient>(exported('MemcacheClient', 'memcache-client'), {
    server,
    lifetime: 900,
  })
  return {
    name: 'memcache-client 1.0.5',
    get: async (key) => (await client.get(key)).value,
    async swap(key, value) {
      const { casUniq } = await client.gets(key)
      try {
        return (await client.cas(key, value, { casUniq, lifetime: 900 }))[0] === 'STORED'
      } catch (error) {
        if (error instanceof Error && error.message.includes('EXISTS')) return false
        throw error
      }
    },
    close: () => client.shutdown(),
  }
}

interface Memcached {
  get(key: string, done: Done<Buffer | string>): void
  gets(key: string, done: Done<{ readonly cas: string }>): void
  cas(key: string, value: Buffer, token: string, ttl: number, done: Done<boolean>): void
  end(): void
}

export function memcached(server: string): Peer {
  const client = construct<Memcached>(load('memcached'), server, { timeout: 2000 })
  return {
    name: 'memcached 2.2.2',
    get: (key) => asPromise((done) => client.get(key, done)),
    async swap(key, value) {
      const { cas } = await asPromise<{ readonly cas: string }>((done) => client.gets(key, done))
      return asPromise((done: Done<boolean>) => client.cas(key, value, cas, 900, done))
    },
    close: () => client.end(),
  }
}

interface Memjs {
  get(key: string): Promise<{ readonly value: Buffer }>
  quit(): void
}

export function memjs(server: string): Peer {
  const { Client } = load('memjs') as unknown as { readonly Client: { create(server: string): Memjs } }
  const client = Client.create(server)
  return {
    name: 'memjs 1.3.2',
    get: async (key) => (await client.get(key)).value,
    close: () => client.quit(),
  }
}

interface Memcache {
  get(key: string): Promise<string>
  disconnect(): Promise<void>
}

export async function memcache(server: string): Promise<Peer> {
  const name = 'memcache'
  const loaded = (await import(name)) as Loaded
  if (loaded['Memcache'] === undefined) throw new Error('memcache exports no Memcache.')
  const client = construct<Memcache>(loaded['Memcache'], server)
  return {
    name: 'memcache 1.10.0',
    get: (key) => client.get(key),
    close: () => void client.disconnect(),
  }
}
