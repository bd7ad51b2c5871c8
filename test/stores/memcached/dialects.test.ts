import { describe, expect, test } from 'vitest'
import { classic } from '../../../src/stores/memcached/classic.ts'
import type { Reply, Command, Dialect } from '../../../src/stores/memcached/dialect.ts'
import { meta } from '../../../src/stores/memcached/meta.ts'

const get: Command = { kind: 'get', key: 'k', exptime: 60 }
const look: Command = { kind: 'get', key: 'k', exptime: null }
const put = (kind: 'add' | 'swap' | 'set'): Command => ({
  kind,
  key: 'k',
  exptime: 60,
  token: '4',
  value: Buffer.from('abc'),
})

function take(dialect: Dialect, command: Command, text: string): Reply | undefined {
  const parser = dialect.createParser()
  parser.push(Buffer.from(text, 'latin1'))
  return parser.take(command, '9')
}

describe('the commands', () => {
  test('each command is written as the meta dialect has it', () => {
    expect(meta.encode(get, '9')).toBe('mg k s v c T60 O9\r\n')
    expect(meta.encode(look, '9')).toBe('mg k s v c O9\r\n')
    expect(meta.encode(put('add'), '9')).toBe('add k 0 60 3\r\n')
    expect(meta.encode(put('set'), '9')).toBe('ms k 3 MS T60 O9\r\n')
    expect(meta.encode(put('swap'), '9')).toBe('cas k 0 60 3 4\r\n')
  })

  test('each command is written as the classic dialect has it', () => {
    expect(classic.encode(get, '9')).toBe('gets k\r\ntouch k 60\r\n')
    expect(classic.encode(look, '9')).toBe('gets k\r\n')
    expect(classic.encode(put('add'), '9')).toBe('add k 0 60 3\r\n')
    expect(classic.encode(put('set'), '9')).toBe('set k 0 60 3\r\n')
    expect(classic.encode(put('swap'), '9')).toBe('cas k 0 60 3 4\r\n')
  })
})

describe('answers', () => {
  test.each([
    [meta, get, 'VA 5 s5 c42 O9\r\nhe\r\no\r\n', { kind: 'hit', value: Buffer.from('he\r\no'), token: '42' }],
    [meta, get, 'EN O9\r\n', { kind: 'miss' }],
    [meta, put('set'), 'HD O9\r\n', { kind: 'stored' }],
    [meta, put('add'), 'STORED\r\n', { kind: 'stored' }],
    [meta, put('add'), 'NOT_STORED\r\n', { kind: 'exists' }],
    [meta, put('swap'), 'EXISTS\r\n', { kind: 'conflict' }],
    [meta, put('swap'), 'NOT_FOUND\r\n', { kind: 'missing' }],
    [
      classic,
      get,
      'VALUE k 0 5 42\r\nEND\r\n\r\nEND\r\nTOUCHED\r\n',
      { kind: 'hit', value: Buffer.from('END\r\n'), token: '42' },
    ],
    [classic, look, 'VALUE k 0 0 42\r\n\r\nEND\r\n', { kind: 'hit', value: Buffer.from(''), token: '42' }],
    [classic, get, 'END\r\nNOT_FOUND\r\n', { kind: 'miss' }],
    // It expired, or came, between the two commands.
    [classic, get, 'VALUE k 0 1 42\r\na\r\nEND\r\nNOT_FOUND\r\n', { kind: 'miss' }],
    [classic, get, 'END\r\nTOUCHED\r\n', { kind: 'miss' }],
    [classic, put('add'), 'NOT_STORED\r\n', { kind: 'exists' }],
    [classic, put('swap'), 'EXISTS\r\n', { kind: 'conflict' }],
    [classic, put('swap'), 'NOT_FOUND\r\n', { kind: 'missing' }],
  ])('in %o the answer to %o is read: %j', (dialect, command, text, answer) => {
    expect(take(dialect, command, text)).toEqual(answer)
  })

  test.each([
    [meta, put('set'), 'SERVER_ERROR out of memory storing object\r\n', 'out-of-memory'],
    [meta, put('set'), 'SERVER_ERROR object too large for cache\r\n', 'too-large'],
    [meta, get, 'SERVER_ERROR backend failure\r\n', 'server-error'],
    [classic, put('swap'), 'SERVER_ERROR out of memory storing object\r\n', 'out-of-memory'],
    [classic, get, 'SERVER_ERROR Connection refused\r\nSERVER_ERROR Connection refused\r\n', 'server-error'],
    [classic, get, 'VALUE k 0 1 42\r\na\r\nEND\r\nSERVER_ERROR Connection timed out\r\n', 'server-error'],
    [classic, get, 'SERVER_ERROR Connection timed out\r\nTOUCHED\r\n', 'server-error'],
    [classic, look, 'SERVER_ERROR \r\n', 'server-error'],
  ])('in %o the answer to %o is a refusal: %j', (dialect, command, text, code) => {
    expect(take(dialect, command, text)).toMatchObject({ kind: 'refused', error: { code } })
  })
})

describe('bytes that are no answer are an error', () => {
  const both = [
    'ERROR\r\n',
    'CLIENT_ERROR bad data chunk\r\n',
    'SERVER_ERROR out of memory storing object\r\n',
    'SERVER_ERROR one\nSERVER_ERROR two\r\n',
    '\r\n',
    'x'.repeat(513),
  ]
  test.each([
    ...both,
    'EN\r\n',
    'EN O8\r\n',
    'EN O9 extra\r\n',
    'EN O9\n',
    'HD O9\r\n',
    'VA 5 s5 c1 O8\r\nhello\r\n',
    'VA 5 s6 c1 O9\r\nhello\r\n',
    'VA 5 s5 O9\r\n',
    'VA 5 s5 c1\r\n',
    'VA -5 s-5 c1 O9\r\n',
    'VA 99999999 s99999999 c1 O9\r\n',
    'VA 1000065 s1000065 c1 O9\r\n',
    'VA 2 s2 c1 O9\r\nhiXX',
    'VA 2 s2 c1 O9\r\nhello\r\n',
    'VALUE k 0 2 1\r\n',
    `EN O${'9'.repeat(600)}\r\n`,
  ])('bytes that are no answer of the meta dialect are an error: %j', (text) => {
    expect(() => take(meta, get, text)).toThrow(expect.objectContaining({ code: 'protocol' }))
  })

  test.each([
    ...both,
    'END\n',
    'STORED\r\n',
    'TOUCHED\r\n',
    'VALUE j 0 1 1\r\na\r\nEND\r\nTOUCHED\r\n',
    'VALUE k 0 1\r\na\r\nEND\r\n',
    'VALUE k 0 1 1\r\nab\r\nEND\r\n',
    'VALUE k 0 1 1\r\na\r\nVALUE k 0 1 1\r\n',
    'VALUE k 0 1 1\r\na\r\nEND\r\nSTORED\r\n',
    'VALUE k 0 1000065 1\r\n',
    'VA 1 s1 c1 O9\r\n',
    'EN O9\r\n',
  ])('bytes that are no answer of the classic dialect are an error: %j', (text) => {
    expect(() => take(classic, get, text)).toThrow(expect.objectContaining({ code: 'protocol' }))
  })
})
