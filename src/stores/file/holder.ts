// Who uses the directory, and whether they still live. A process that dies cannot say so; the kernel can: each store
// listens on a Unix socket of its own, and a socket whose process is gone refuses. Numbers of processes are no
// proof: they repeat, and two containers that share a directory do not see each other's.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { lstat } from 'node:fs/promises'
import { type Server, connect, createServer } from 'node:net'
import { join } from 'node:path'

export interface Holder {
  /** Never used again by anybody. */
  readonly id: string
  /**
   * Resolves when others can see that we live, and the directory is the one that it was.
   * @throws the system's error, or one that says that the directory is another
   */
  assertPresent(): Promise<void>
  /** False only if the process is gone for certain, and with it whatever it was about to do. */
  isAlive(id: string): Promise<boolean>
  leave(): Promise<void>
}

/** What a Unix socket's address takes: 104 bytes on macOS, the end mark included. */
const maxAddressBytes = 103
/** Milliseconds. No answer in that time is a yes: a process that stands still may go on. */
const answerWithin = 1000

/** Whether the sockets of owners fit under this directory. */
export function fitsSockets(directory: string): boolean {
  return Buffer.byteLength(join(directory, '0'.repeat(16))) <= maxAddressBytes
}

/**
 * One owner, with its socket in `directory`, from the first `assertPresent` on.
 * @example const owner = createHolder('/var/lib/shop/sessions/owners')
 */
export function createHolder(directory: string): Holder {
  const id = randomBytes(8).toString('hex')
  // They never come back: an id is random and used once.
  const dead = new Set<string>()
  let listening: Promise<Server> | undefined

  async function listen(): Promise<Server> {
    // Nothing is said here: that the connection was made is the answer.
    const server = createServer((socket) => socket.on('error', () => socket.destroy()).destroy())
    // Somebody asks while there are no descriptors left: they will take the silence for a yes.
    server.on('error', () => undefined)
    // In a cluster the primary would listen for its workers, and live on after them.
    server.listen({ path: join(directory, id), exclusive: true })
    await once(server, 'listening')
    server.unref()
    return server
  }

  return {
    id,
    async assertPresent() {
      listening ??= listen().catch((error: unknown) => {
        listening = undefined
        throw error
      })
      await listening
      // Removed or unmounted: what is there now, if anything, knows nothing of our locks.
      await lstat(join(directory, id))
    },
    async isAlive(other) {
      if (dead.has(other)) return false
      const isAlive = await answers(join(directory, other))
      if (!isAlive) dead.add(other)
      return isAlive
    },
    async leave() {
      const server = await listening?.catch(() => undefined)
      if (server === undefined) return
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Anything but a clear no is a yes: a lock of somebody who lives must never be broken. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    const answer = (isAlive: boolean): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(isAlive)
    }
    const timer = setTimeout(answer, answerWithin, true)
    socket.on('connect', () => answer(true))
    socket.on('error', (error: NodeJS.ErrnoException) =>
      answer(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    )
  })
}
