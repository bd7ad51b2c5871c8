// Lines and blocks out of a stream of chunks. Keeps the unread bytes of one connection and nothing else.
import { MemcachedError } from './memcached-error.ts'

/** Far above a line with a key of 200 bytes, a status and numbers. */
const maxLineBytes = 512
const newline = 0x0a
const carriageReturn = 0x0d
const nothing = Buffer.alloc(0)

/** What one connection has said and nobody has read. */
export class ReplyReader {
  #front: Buffer = nothing
  /** How much of `#front` was read: moving on is cheaper than cutting it off. */
  #start = 0
  /** Joined when needed: joining with every chunk would copy a large value once for each of its chunks. */
  #more: Buffer[] = []
  #unread = 0

  /** Bytes that nobody has read. */
  get unread(): number {
    return this.#unread
  }

  push(chunk: Buffer): void {
    this.#more.push(chunk)
    this.#unread += chunk.length
  }

  /**
   * The next line with its end, or undefined while it is not whole.
   * @throws MemcachedError `protocol` when it is too long
   */
  line(): string | undefined {
    if (this.#unread === 0) return undefined
    this.#join()
    const end = this.#front.indexOf(newline, this.#start)
    const length = end === -1 ? this.#unread : end + 1 - this.#start
    if (length > maxLineBytes) {
      throw new MemcachedError('protocol', `Memcached sent a line of more than ${maxLineBytes} bytes.`)
    }
    if (end === -1) return undefined
    const line = this.#front.toString('latin1', this.#start, end + 1)
    this.#skip(length)
    return line
  }

  /**
   * The next `bytes` bytes, which `\r\n` must follow, or undefined while they are not whole.
   * @throws MemcachedError `protocol` when something else follows
   */
  block(bytes: number): Buffer | undefined {
    if (this.#unread < bytes + 2) return undefined
    this.#join()
    const end = this.#start + bytes
    if (this.#front[end] !== carriageReturn || this.#front[end + 1] !== newline) {
      throw new MemcachedError('protocol', 'Memcached sent a value that does not end where it should.')
    }
    // A copy: otherwise the chunk that the value is part of would be kept as long as the value.
    const block = Buffer.from(this.#front.subarray(this.#start, end))
    this.#skip(bytes + 2)
    return block
  }

  #join(): void {
    const [first] = this.#more
    if (first === undefined) return
    const isRead = this.#start === this.#front.length
    this.#front =
      isRead && this.#more.length === 1
        ? first
        : Buffer.concat([this.#front.subarray(this.#start), ...this.#more])
    this.#start = 0
    this.#more = []
  }

  #skip(bytes: number): void {
    this.#start += bytes
    this.#unread -= bytes
  }
}
