// Memcached's meta dialect (1.6.10 or newer). Every answer that carries a value also carries the opaque of its
// question, so that an answer to another one is always known for what it is.
import { classic, meanings as classicMeanings } from './classic.ts'
import { type Reply, type Command, type Dialect, type Parser, maxItemBytes } from './dialect.ts'
import { MemcachedError, unexpected } from './memcached-error.ts'
import { createReplyReader } from './reply-reader.ts'
import { parseServerError } from './server-error.ts'

export const meta: Dialect = { name: 'meta', encode, createParser }

function encode(command: Command, opaque: string): string {
  const { kind, key, exptime } = command
  // One trip: the value, its size once more, the token, and the lifetime begins anew.
  if (kind === 'get') return `mg ${key} s v c${exptime === null ? '' : ` T${exptime}`} O${opaque}\r\n`
  // Whatever its mode, an `ms` that finds no room removes what was there; the classic commands keep it. They carry no
  // opaque: nobody's bytes depend on it, and the next answer that has one would show that they are out of step.
  if (kind !== 'set') return classic.encode(command, opaque)
  return `ms ${key} ${command.value.byteLength} MS T${exptime} O${opaque}\r\n`
}

interface Head {
  readonly token: string
  readonly bytes: number
}

function createParser(): Parser {
  const reader = createReplyReader()
  /** Of a value whose bytes are still coming. */
  let head: Head | undefined

  function takeValue({ token, bytes }: Head): Reply | undefined {
    const value = reader.block(bytes)
    if (value === undefined) return undefined
    head = undefined
    return { kind: 'hit', value, token }
  }

  return {
    push: reader.push,
    take(command, opaque) {
      if (head !== undefined) return takeValue(head)
      const line = reader.line()
      if (line === undefined) return undefined
      if (command.kind === 'get' && line.startsWith('VA ')) {
        head = parseHead(line, opaque)
        return takeValue(head)
      }
      return parseStatus(line, opaque, command) ?? parseServerError(line, command) ?? fail(line)
    },
    get unread() {
      return reader.unread
    },
  }
}

const headPattern = /^VA (\d{1,8}) s(\d{1,8}) c(\d{1,20}) O(\w{1,32})\r\n$/

function parseHead(line: string, opaque: string): Head {
  const [matched, size = '', sizeAgain, token = '', answers] = headPattern.exec(line) ?? []
  // One wrong bit in a length that lands on a line break within the value would cut the value short.
  if (matched === undefined || size !== sizeAgain) throw unexpected(line)
  if (answers !== opaque) throw misplaced()
  const bytes = Number(size)
  if (bytes > maxItemBytes)
    throw new MemcachedError('protocol', 'A value is larger than any that was stored.')
  return { token, bytes }
}

/** What each status means to each question; what is not here is no answer to it. */
const meanings: Readonly<Record<'get' | 'set', Readonly<Record<string, Reply>>>> = {
  get: { EN: { kind: 'miss' } },
  set: { HD: { kind: 'stored' } },
}

// A bare EN, as memcached before 1.6.10 has it, carries no opaque: it is refused like garbage.
const statusPattern = /^(HD|EN) O(\w{1,32})\r\n$/

function parseStatus(line: string, opaque: string, { kind }: Command): Reply | undefined {
  if (kind === 'add' || kind === 'swap') return classicMeanings[kind][line]
  const [matched, status = '', answers] = statusPattern.exec(line) ?? []
  if (matched === undefined) return undefined
  if (answers !== opaque) throw misplaced()
  return meanings[kind][status]
}

function misplaced(): MemcachedError {
  return new MemcachedError('protocol', 'An answer came that was not asked for.')
}

function fail(line: string): never {
  throw unexpected(line)
}
