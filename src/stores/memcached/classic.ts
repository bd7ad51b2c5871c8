// Memcached's classic text dialect, for engines that have no other (twemproxy, yrmcds, memcached before 1.6.10).
// Replies carry no opaque: their order is all there is, and the key of a VALUE. So the parser accepts nothing but a
// reply to the one command whose turn it is.
import {
  type Command,
  type Dialect,
  type GetCommand,
  type Parser,
  type Reply,
  maxItemBytes,
} from './dialect.ts'
import { MemcachedError, unexpected } from './memcached-error.ts'
import { ReplyReader } from './reply-reader.ts'
import { parseServerError } from './server-error.ts'

export const classic: Dialect = { name: 'classic', encode, createParser: () => new ClassicParser() }

function encode(command: Command): string {
  const { kind, key, exptime } = command
  if (kind === 'get') {
    // Both leave in one write. `gat` would be one command, but twemproxy and yrmcds lack it.
    return exptime === null ? `gets ${key}\r\n` : `gets ${key}\r\ntouch ${key} ${exptime}\r\n`
  }
  const put = `${key} 0 ${exptime} ${command.value.byteLength}`
  return kind === 'swap' ? `cas ${put} ${command.token}\r\n` : `${kind} ${put}\r\n`
}

const valuePattern = /^VALUE ([\x21-\x7e]{1,250}) \d{1,10} (\d{1,8}) (\d{1,20})\r\n$/

/** What each line means to each command; a line that is not here is no reply to it. */
export const meanings: Readonly<Record<'add' | 'swap' | 'set', Readonly<Record<string, Reply>>>> = {
  add: { 'STORED\r\n': { kind: 'stored' }, 'NOT_STORED\r\n': { kind: 'exists' } },
  swap: {
    'STORED\r\n': { kind: 'stored' },
    'EXISTS\r\n': { kind: 'conflict' },
    'NOT_FOUND\r\n': { kind: 'missing' },
  },
  set: { 'STORED\r\n': { kind: 'stored' } },
}

class ClassicParser implements Parser {
  readonly #reader = new ReplyReader()
  /** The VALUE line of a reply to `gets` whose value is still to come. */
  #head: ValueHead | undefined
  /** The value of a reply to `gets` whose END is still to come. */
  #hit: Reply | undefined
  /** The whole reply to `gets`, while that to `touch` is still to come. */
  #got: Reply | undefined

  get unread(): number {
    return this.#reader.unread
  }

  push(chunk: Buffer): void {
    this.#reader.push(chunk)
  }

  take(command: Command): Reply | undefined {
    if (command.kind === 'get') return this.#takeGet(command)
    const line = this.#reader.line()
    if (line === undefined) return undefined
    const reply = meanings[command.kind][line] ?? parseServerError(line, command)
    if (reply === undefined) throw unexpected(line)
    return reply
  }

  /** The replies to `gets` and, where a lifetime is to begin anew, to `touch`. */
  #takeGet(command: GetCommand): Reply | undefined {
    this.#got ??= this.#takeGets(command)
    const got = this.#got
    if (got === undefined || command.exptime === null) return this.#finish(got)
    const line = this.#reader.line()
    if (line === undefined) return undefined
    if (line === 'TOUCHED\r\n') return this.#finish(got)
    // The item went between the two commands. A hit promises a new lifetime, which this one did not get.
    if (line === 'NOT_FOUND\r\n') return this.#finish(got.kind === 'hit' ? { kind: 'miss' } : got)
    const refused = parseServerError(line, command)
    if (refused === undefined) throw unexpected(line)
    return this.#finish(got.kind === 'refused' ? got : refused)
  }

  #finish(reply: Reply | undefined): Reply | undefined {
    this.#got = undefined
    return reply
  }

  #takeGets(command: GetCommand): Reply | undefined {
    if (this.#head === undefined && this.#hit === undefined) {
      const line = this.#reader.line()
      if (line === undefined) return undefined
      if (line === 'END\r\n') return { kind: 'miss' }
      const refused = parseServerError(line, command)
      if (refused !== undefined) return refused
      this.#head = parseHead(line, command)
    }
    if (this.#head !== undefined) {
      const value = this.#reader.block(this.#head.bytes)
      if (value === undefined) return undefined
      this.#hit = { kind: 'hit', value, token: this.#head.token }
      this.#head = undefined
    }
    return this.#takeEnd()
  }

  #takeEnd(): Reply | undefined {
    const line = this.#reader.line()
    if (line === undefined) return undefined
    if (line !== 'END\r\n') throw unexpected(line)
    const reply = this.#hit
    this.#hit = undefined
    return reply
  }
}

interface ValueHead {
  readonly token: string
  readonly bytes: number
}

function parseHead(line: string, { key }: GetCommand): ValueHead {
  const [matched, name, size = '', token = ''] = valuePattern.exec(line) ?? []
  if (matched === undefined) throw unexpected(line)
  if (name !== key) throw new MemcachedError('protocol', 'Memcached sent the value of another key.')
  return { token, bytes: parseValueBytes(size) }
}

/** @throws MemcachedError `protocol` for more bytes than any value has that was stored */
export function parseValueBytes(size: string): number {
  const bytes = Number(size)
  if (bytes <= maxItemBytes) return bytes
  throw new MemcachedError('protocol', `Memcached sent a value of ${bytes} bytes, more than was ever stored.`)
}
