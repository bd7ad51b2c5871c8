// Memcached's classic text dialect, for engines that have no other (twemproxy, yrmcds, memcached before 1.6.10).
// Answers carry no opaque: their order is all there is, and the key of a VALUE. So the parser accepts nothing
// but the answers of the one question whose turn it is.
import {
  type Reply,
  type Command,
  type Dialect,
  type GetCommand,
  type Parser,
  maxItemBytes,
} from './dialect.ts'
import { MemcachedError, unexpected } from './memcached-error.ts'
import { createReplyReader } from './reply-reader.ts'
import { parseServerError } from './server-error.ts'

export const classic: Dialect = { name: 'classic', encode, createParser }

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

/** What each line means to each question; what is not here is no answer to it. */
export const meanings: Readonly<Record<'add' | 'swap' | 'set', Readonly<Record<string, Reply>>>> = {
  add: { 'STORED\r\n': { kind: 'stored' }, 'NOT_STORED\r\n': { kind: 'exists' } },
  swap: {
    'STORED\r\n': { kind: 'stored' },
    'EXISTS\r\n': { kind: 'conflict' },
    'NOT_FOUND\r\n': { kind: 'missing' },
  },
  set: { 'STORED\r\n': { kind: 'stored' } },
}

function createParser(): Parser {
  const reader = createReplyReader()
  // How far the answer to `gets` and `touch` has come.
  let head: { readonly token: string; readonly bytes: number } | undefined
  let hit: Reply | undefined
  let got: Reply | undefined

  function takeGet(command: GetCommand): Reply | undefined {
    got ??= takeGot(command)
    if (got === undefined || command.exptime === null) return finish(got)
    const line = reader.line()
    if (line === undefined) return undefined
    if (line === 'TOUCHED\r\n') return finish(got)
    // It went between the two commands. A hit promises a new lifetime, which it did not get.
    if (line === 'NOT_FOUND\r\n') return finish(got.kind === 'hit' ? { kind: 'miss' } : got)
    const refusal = parseServerError(line, command)
    if (refusal === undefined) throw unexpected(line)
    return finish(got.kind === 'refused' ? got : refusal)
  }

  function finish(answer: Reply | undefined): Reply | undefined {
    got = undefined
    return answer
  }

  /** The answer to `gets` alone. */
  function takeGot(command: GetCommand): Reply | undefined {
    if (head === undefined && hit === undefined) {
      const line = reader.line()
      if (line === undefined) return undefined
      if (line === 'END\r\n') return { kind: 'miss' }
      const refusal = parseServerError(line, command)
      if (refusal !== undefined) return refusal
      head = parseHead(line, command)
    }
    if (head !== undefined) {
      const value = reader.block(head.bytes)
      if (value === undefined) return undefined
      hit = { kind: 'hit', value, token: head.token }
      head = undefined
    }
    const line = reader.line()
    if (line === undefined) return undefined
    if (line !== 'END\r\n') throw unexpected(line)
    const answer = hit
    hit = undefined
    return answer
  }

  return {
    push: reader.push,
    take(command) {
      if (command.kind === 'get') return takeGet(command)
      const line = reader.line()
      if (line === undefined) return undefined
      const answer = meanings[command.kind][line] ?? parseServerError(line, command)
      if (answer === undefined) throw unexpected(line)
      return answer
    },
    get unread() {
      return reader.unread
    },
  }
}

function parseHead(line: string, { key }: GetCommand): { token: string; bytes: number } {
  const [matched, name, size = '', token = ''] = valuePattern.exec(line) ?? []
  if (matched === undefined) throw unexpected(line)
  if (name !== key) throw new MemcachedError('protocol', "Another key's value came.")
  const bytes = Number(size)
  if (bytes > maxItemBytes)
    throw new MemcachedError('protocol', 'A value is larger than any that was stored.')
  return { token, bytes }
}
