// Who holds locks in the directory, and whether they still run. A process that dies cannot say so, but the kernel
// can: each open store listens on a Unix socket of its own, and a socket whose process is gone refuses connections.
// Process ids prove nothing: they repeat, and two containers that share a directory do not see each other's.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { lstat } from 'node:fs/promises'
import { type Server, connect, createServer } from 'node:net'
import { join } from 'node:path'

/** One open store, as the others that use its directory see it. */
export interface Holder {
  /** Random, and never used again by anybody. */
  readonly id: string
  /**
   * Makes sure that others can see us, and that the directory is still the one it was. The first call opens the socket.
   * @throws the error of the system, also when the directory was removed or replaced
   */
  assertPresent(): Promise<void>
  /** Whether the holder with this id may still run. False only when its process is gone for certain. */
  isAlive(id: string): Promise<boolean>
  /** Closes the socket: others take us for gone from now on. */
  leave(): Promise<void>
}

/** Bytes of a Unix socket's address: 104 on macOS, with the end mark; Linux takes 108. */
const maxAddressBytes = 103
/** No answer within this time counts as a yes: a process that was stopped may go on. */
const answerTimeoutMilliseconds = 1000

/** Whether the addresses of sockets in this directory are short enough. */
export function fitsSockets(directory: string): boolean {
  return Buffer.byteLength(join(directory, '0'.repeat(16))) <= maxAddressBytes
}

/**
 * Creates a holder with its socket in `directory`.
 * @example const holder = createHolder('/var/lib/shop/sessions/owners')
 */
export function createHolder(directory: string): Holder {
  const id = randomBytes(8).toString('hex')
  // Those that are gone stay gone: an id is random and used once.
  const gone = new Set<string>()
  let listening: Promise<Server> | undefined

  return {
    id,
    async assertPresent() {
      listening ??= listen(join(directory, id)).catch((error: unknown) => {
        listening = undefined
        throw error
      })
      await listening
      // If the directory was removed or unmounted, what is there now knows nothing of our locks.
      await lstat(join(directory, id))
    },
    async isAlive(other) {
      if (gone.has(other)) return false
      const isAlive = await answers(join(directory, other))
      if (!isAlive) gone.add(other)
      return isAlive
    },
    async leave() {
      const server = await listening?.catch(() => undefined)
      if (server === undefined) return
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function listen(path: string): Promise<Server> {
  // Nothing is said: that the connection could be made is the answer.
  const server = createServer((socket) => socket.on('error', () => socket.destroy()).destroy())
  // Without descriptors left we cannot answer; whoever asks takes silence for a yes.
  server.on('error', () => undefined)
  // Exclusive: in a cluster the primary would listen for its workers, and outlive them.
  server.listen({ path, exclusive: true })
  await once(server, 'listening')
  server.unref()
  return server
}

/** Anything but a clear no is a yes, because a lock whose holder runs must never be broken. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    const answer = (isAlive: boolean): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(isAlive)
    }
    const timer = setTimeout(answer, answerTimeoutMilliseconds, true)
    socket.on('connect', () => answer(true))
    socket.on('error', (error: NodeJS.ErrnoException) =>
      answer(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    )
  })
}
