// Memcached's meta dialect (1.6.10 or newer). Every reply that carries a value also carries the opaque of its
// command, so that a reply to another command is always known for what it is.
import { classic, meanings as classicMeanings, parseValueBytes } from './classic.ts'
import type { Command, Dialect, Parser, Reply } from './dialect.ts'
import { misplaced, unexpected } from './memcached-error.ts'
import { ReplyReader } from './reply-reader.ts'
import { parseServerError } from './server-error.ts'

export const meta: Dialect = { name: 'meta', encode, createParser: () => new MetaParser() }

function encode(command: Command, opaque: string): string {
  const { kind, key, exptime } = command
  // One trip: the value, its size once more, the token, and the lifetime begins anew.
  if (kind === 'get') return `mg ${key} s v c${exptime === null ? '' : ` T${exptime}`} O${opaque}\r\n`
  // Whatever its mode, an `ms` that finds no room removes what was there; the classic commands keep it. They carry no
  // opaque: nobody's bytes depend on it, and the next reply that has one would show that they are out of step.
  if (kind !== 'set') return classic.encode(command, opaque)
  return `ms ${key} ${command.value.byteLength} MS T${exptime} O${opaque}\r\n`
}

interface ValueHead {
  readonly token: string
  readonly bytes: number
}

class MetaParser implements Parser {
  readonly #reader = new ReplyReader()
  /** The VA line of a value whose bytes are still to come. */
  #head: ValueHead | undefined

  get unread(): number {
    return this.#reader.unread
  }

  push(chunk: Buffer): void {
    this.#reader.push(chunk)
  }

  take(command: Command, opaque: string): Reply | undefined {
    if (this.#head !== undefined) return this.#takeValue(this.#head)
    const line = this.#reader.line()
    if (line === undefined) return undefined
    if (command.kind === 'get' && line.startsWith('VA ')) {
      this.#head = parseHead(line, opaque)
      return this.#takeValue(this.#head)
    }
    const reply = parseStatus(line, opaque, command) ?? parseServerError(line, command)
    if (reply === undefined) throw unexpected(line)
    return reply
  }

  #takeValue({ token, bytes }: ValueHead): Reply | undefined {
    const value = this.#reader.block(bytes)
    if (value === undefined) return undefined
    this.#head = undefined
    return { kind: 'hit', value, token }
  }
}

const headPattern = /^VA (\d{1,8}) s(\d{1,8}) c(\d{1,20}) O(\w{1,32})\r\n$/

function parseHead(line: string, opaque: string): ValueHead {
  const [matched, size = '', sizeAgain, token = '', answered] = headPattern.exec(line) ?? []
  // One wrong bit in a length that lands on a line break within the value would cut the value short.
  if (matched === undefined || size !== sizeAgain) throw unexpected(line)
  if (answered !== opaque) throw misplaced()
  return { token, bytes: parseValueBytes(size) }
}

/** What each status means to each command; a status that is not here is no reply to it. */
const meanings: Readonly<Record<'get' | 'set', Readonly<Record<string, Reply>>>> = {
  get: { EN: { kind: 'miss' } },
  set: { HD: { kind: 'stored' } },
}

// Memcached before 1.6.10 says EN without an opaque: that is refused like garbage.
const statusPattern = /^(HD|EN) O(\w{1,32})\r\n$/

function parseStatus(line: string, opaque: string, { kind }: Command): Reply | undefined {
  if (kind === 'add' || kind === 'swap') return classicMeanings[kind][line]
  const [matched, status = '', answered] = statusPattern.exec(line) ?? []
  if (matched === undefined) return undefined
  if (answered !== opaque) throw misplaced()
  return meanings[kind][status]
}
