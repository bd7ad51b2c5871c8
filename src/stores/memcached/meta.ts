// Memcached's meta protocol as bytes: commands out, answers in, whatever pieces they come in. Pure; keeps one
// connection's unread bytes. What is not exactly an answer is an error: bytes that lost their frame would give
// one user another one's session.
import { maxValueBytes } from '../store.ts'

/** A pool puts a few bytes before the value. */
const maxItemBytes = maxValueBytes + 64

export type MetaStatus = 'HD' | 'VA' | 'EN' | 'NS' | 'EX' | 'NF'

export interface MetaAnswer {
  readonly status: MetaStatus
  /** Given back from the command: says which one this answers. */
  readonly opaque: string
  /** Of a `VA`. */
  readonly token: string
  readonly value: Buffer
}

/** Thrown for bytes that no answer has; the connection is of no use after it. */
export class MetaError extends Error {
  override readonly name = 'MetaError'
}

/** Reads, gives the compare-and-swap token, and starts the lifetime anew if one is given, in one trip. */
export function encodeGet(key: string, exptime: number | undefined, opaque: string): string {
  return `mg ${key} v c${exptime === undefined ? '' : ` T${exptime}`} O${opaque}\r\n`
}

export interface SetCommand {
  readonly key: string
  /** `add`: where nothing is. `swap`: where `token` is. `set`: whatever is there. */
  readonly mode: 'add' | 'set' | 'swap'
  readonly token?: string
  readonly exptime: number
  readonly bytes: number
}

/** The line before the value; `\r\n` follows the value. */
export function encodeSet({ key, mode, token, exptime, bytes }: SetCommand, opaque: string): string {
  const how = mode === 'add' ? 'ME' : mode === 'set' ? 'MS' : `C${token ?? ''}`
  return `ms ${key} ${bytes} ${how} T${exptime} O${opaque}\r\n`
}

export interface MetaParser {
  /** The answers that are complete with `chunk`. @throws MetaError */
  feed(chunk: Buffer): MetaAnswer[]
}

/** A line with status, flags and opaque is far below this. */
const maxLineBytes = 256
const newline = 0x0a
const carriageReturn = 0x0d
const nothing = Buffer.alloc(0)

interface Head extends Omit<MetaAnswer, 'value'> {
  /** Of the value, or -1 where none follows. */
  readonly bytes: number
}

export function createMetaParser(): MetaParser {
  let unread: Buffer = nothing
  let head: Head | undefined

  /** Takes one answer from the front, or undefined when it is not whole yet. */
  function take(): MetaAnswer | undefined {
    head ??= takeHead()
    if (head === undefined) return undefined
    const { bytes, ...answer } = head
    if (bytes === -1) return finish(answer, 0, nothing)
    if (unread.length < bytes + 2) return undefined
    if (unread[bytes] !== carriageReturn || unread[bytes + 1] !== newline) {
      throw new MetaError('A value does not end where it should.')
    }
    // A copy: the chunk that it is part of would be kept as long as the value.
    return finish(answer, bytes + 2, Buffer.from(unread.subarray(0, bytes)))
  }

  function finish(answer: Omit<MetaAnswer, 'value'>, used: number, value: Buffer): MetaAnswer {
    unread = unread.subarray(used)
    head = undefined
    return { ...answer, value }
  }

  function takeHead(): Head | undefined {
    const end = unread.indexOf(newline)
    if (end === -1 ? unread.length > maxLineBytes : end > maxLineBytes)
      throw new MetaError('A line is too long.')
    if (end === -1) return undefined
    const line = unread.toString('latin1', 0, end + 1)
    unread = unread.subarray(end + 1)
    return parseHead(line)
  }

  return {
    feed(chunk) {
      unread = unread.length === 0 ? chunk : Buffer.concat([unread, chunk])
      const answers: MetaAnswer[] = []
      for (let answer = take(); answer !== undefined; answer = take()) answers.push(answer)
      return answers
    },
  }
}

const valuePattern = /^VA (\d{1,8}) c(\d{1,20}) O(\w{1,32})\r\n$/
// memcached before 1.6.10 answers a miss with a bare EN; we need the opaque, so it is refused like garbage.
const statusPattern = /^(HD|EN|NS|EX|NF) O(\w{1,32})\r\n$/

function parseHead(line: string): Head {
  const [isValue, length = '', token = '', ofValue = ''] = valuePattern.exec(line) ?? []
  if (isValue !== undefined) {
    const bytes = Number(length)
    if (bytes > maxItemBytes) throw new MetaError('A value is larger than any that was stored.')
    return { status: 'VA', opaque: ofValue, token, bytes }
  }
  const [isStatus, status, opaque = ''] = statusPattern.exec(line) ?? []
  // The pattern admits these alone.
  if (isStatus !== undefined) return { status: status as MetaStatus, opaque, token: '', bytes: -1 }
  throw new MetaError(`Memcached said ${JSON.stringify(line.slice(0, 80))}.`)
}
