// Valid conversations in both dialects, made at random: what was asked, the bytes of each answer, and what they
// mean. `frame` says which bytes hold the answer together; the others are its value and its token.
import { classic } from '../../src/stores/memcached/classic.ts'
import type { Reply, Command, Dialect } from '../../src/stores/memcached/dialect.ts'
import { meta } from '../../src/stores/memcached/meta.ts'

export interface Exchange {
  readonly command: Command
  readonly opaque: string
  readonly bytes: Buffer
  readonly frame: readonly boolean[]
  readonly answer: Reply
}

type Random = () => number

export function randomExchange(dialect: Dialect, random: Random, opaque: string): Exchange {
  const pick = <const Item>(items: readonly [Item, ...Item[]]): Item =>
    items[Math.floor(random() * items.length)] ?? items[0]
  const kind = pick(['get', 'get', 'get', 'add', 'swap', 'set'])
  const key = `key:${Math.floor(random() * 1e6).toString(36)}`
  const token = String(1 + Math.floor(random() * 1e9))
  const exptime = 1 + Math.floor(random() * 900)
  const write = dialect.name === 'meta' ? metaBytes : classicBytes
  if (kind !== 'get') {
    const command: Command = { kind, key, exptime, token, value: randomValue(random) }
    const kinds = {
      add: ['stored', 'exists'],
      swap: ['stored', 'conflict', 'missing'],
      set: ['stored'],
    } as const
    const answer: Reply = { kind: pick(kinds[kind]) }
    return { command, opaque, answer, ...write(command, opaque, answer) }
  }
  const command: Command = { kind, key, exptime: random() < 0.7 ? exptime : null }
  const answer: Reply =
    random() < 0.3 ? { kind: 'miss' } : { kind: 'hit', value: Buffer.from(randomValue(random)), token }
  return { command, opaque, answer, ...write(command, opaque, answer) }
}

/** Up to forty bytes, with line breaks and the words of the protocol more often than chance has them. */
export function randomValue(random: Random): Uint8Array {
  const words = [
    '\r\n',
    'END\r\n',
    'VA 5 s5 c1 O1\r\n',
    'EN O1\r\n',
    'STORED\r\n',
    '\n',
    '\0',
    'ü',
    '{"a":1}',
  ]
  const parts = Array.from({ length: Math.floor(random() * 5) }, () =>
    random() < 0.5
      ? Buffer.from(words[Math.floor(random() * words.length)] ?? '')
      : Buffer.from(Array.from({ length: Math.floor(random() * 8) }, () => Math.floor(random() * 256))),
  )
  return Buffer.concat(parts).subarray(0, 40)
}

interface Written {
  readonly bytes: Buffer
  readonly frame: readonly boolean[]
}

function metaBytes(command: Command, opaque: string, answer: Reply): Written {
  const { kind } = command
  if (kind === 'add' || kind === 'swap') return classicBytes(command, opaque, answer)
  if (answer.kind === 'hit') {
    const size = answer.value.length
    return join(
      `VA ${size} s${size} c`,
      { loose: answer.token },
      ` O${opaque}\r\n`,
      { loose: answer.value },
      '\r\n',
    )
  }
  const statuses = { miss: 'EN', stored: 'HD', exists: 'NS', conflict: 'EX', missing: 'NF', refused: kind }
  return join(`${statuses[answer.kind]} O${opaque}\r\n`)
}

function classicBytes(command: Command, _opaque: string, answer: Reply): Written {
  const { kind, key, exptime } = command
  const touched = kind === 'get' && exptime !== null
  if (answer.kind === 'hit') {
    const after = `\r\nEND\r\n${touched ? 'TOUCHED\r\n' : ''}`
    const before = ` ${answer.value.length} `
    // The flags are not ours: any number will do.
    return join(
      `VALUE ${key} `,
      { loose: '0' },
      before,
      { loose: answer.token },
      '\r\n',
      { loose: answer.value },
      after,
    )
  }
  if (answer.kind === 'miss') return join(touched ? 'END\r\nNOT_FOUND\r\n' : 'END\r\n')
  const lines = {
    stored: 'STORED',
    exists: 'NOT_STORED',
    conflict: 'EXISTS',
    missing: 'NOT_FOUND',
    refused: kind,
  }
  return join(`${lines[answer.kind]}\r\n`)
}

function join(...parts: readonly (string | { readonly loose: string | Buffer })[]): Written {
  const buffers = parts.map((part) =>
    typeof part === 'string' ? Buffer.from(part) : Buffer.from(part.loose as string),
  )
  const frame = parts.flatMap((part, index) =>
    Array.from({ length: buffers[index]?.length ?? 0 }, () => typeof part === 'string'),
  )
  return { bytes: Buffer.concat(buffers), frame }
}

export interface Parsed {
  readonly answers: readonly Reply[]
  /** What ended it, or undefined. */
  readonly error: unknown
}

/** Reads chunks as the answers to `exchanges`, as a connection does. */
export function parse(dialect: Dialect, exchanges: readonly Exchange[], chunks: readonly Buffer[]): Parsed {
  const parser = dialect.createParser()
  const answers: Reply[] = []
  try {
    for (const chunk of chunks) {
      parser.push(chunk)
      for (;;) {
        const exchange = exchanges[answers.length]
        if (exchange === undefined) {
          if (parser.unread > 0) throw new Error('unasked')
          break
        }
        const answer = parser.take(exchange.command, exchange.opaque)
        if (answer === undefined) break
        answers.push(answer)
      }
    }
    return { answers, error: undefined }
  } catch (error) {
    return { answers, error }
  }
}

export const dialects: readonly Dialect[] = [meta, classic]
