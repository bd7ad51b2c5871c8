// Lines and blocks out of a stream of chunks. Keeps one connection's unread bytes and nothing else.
import { MemcachedError } from './memcached-error.ts'

export interface ReplyReader {
  push(chunk: Buffer): void
  /** The next line with its end, or undefined while it is not whole. @throws MemcachedError `protocol` */
  line(): string | undefined
  /** The next `bytes` bytes, which `\r\n` must follow, or undefined. @throws MemcachedError `protocol` */
  block(bytes: number): Buffer | undefined
  readonly unread: number
}

/** Far above a line with a key of 200 bytes, a status and numbers. */
const maxLineBytes = 512
const newline = 0x0a
const carriageReturn = 0x0d
const nothing = Buffer.alloc(0)

export function createReplyReader(): ReplyReader {
  let front: Buffer = nothing
  /** How much of `front` was read; moving on is cheaper than cutting it off. */
  let start = 0
  /** Joined when needed: joining with every chunk would copy a large value once for each of its chunks. */
  let more: Buffer[] = []
  let unread = 0

  function join(): void {
    const [first] = more
    if (first === undefined) return
    front =
      start === front.length && more.length === 1 ? first : Buffer.concat([front.subarray(start), ...more])
    start = 0
    more = []
  }

  function skip(bytes: number): void {
    start += bytes
    unread -= bytes
  }

  return {
    push(chunk) {
      more.push(chunk)
      unread += chunk.length
    },
    line() {
      if (unread === 0) return undefined
      join()
      const end = front.indexOf(newline, start)
      const length = end === -1 ? unread : end + 1 - start
      if (length > maxLineBytes) throw new MemcachedError('protocol', 'A line of the answer is too long.')
      if (end === -1) return undefined
      const line = front.toString('latin1', start, end + 1)
      skip(length)
      return line
    },
    block(bytes) {
      if (unread < bytes + 2) return undefined
      join()
      const end = start + bytes
      if (front[end] !== carriageReturn || front[end + 1] !== newline) {
        throw new MemcachedError('protocol', 'A value does not end where it should.')
      }
      // A copy: the chunk that it is part of would be kept as long as the value.
      const block = Buffer.from(front.subarray(start, end))
      skip(bytes + 2)
      return block
    },
    get unread() {
      return unread
    },
  }
}
