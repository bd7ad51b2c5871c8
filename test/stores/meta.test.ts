import { expect, test } from 'vitest'
import { createMetaParser, encodeGet, encodeSet } from '../../src/stores/memcached/meta.ts'

const stream = Buffer.concat([
  Buffer.from('HD O1\r\nVA 5 c42 O2\r\nhe\r\no\r\nEN O3\r\nVA 0 c7 O4\r\n\r\nNS O5\r\nEX O6\r\nNF O7\r\n'),
])
const answers = [
  ['HD', '1', '', ''],
  ['VA', '2', '42', 'he\r\no'],
  ['EN', '3', '', ''],
  ['VA', '4', '7', ''],
  ['NS', '5', '', ''],
  ['EX', '6', '', ''],
  ['NF', '7', '', ''],
]

function parse(chunks: readonly Buffer[]): string[][] {
  const parser = createMetaParser()
  return chunks
    .flatMap((chunk) => parser.feed(chunk))
    .map(({ status, opaque, token, value }) => [status, opaque, token, value.toString()])
}

test('commands are one line each', () => {
  expect(encodeGet('k', 60, '9')).toBe('mg k v c T60 O9\r\n')
  expect(encodeSet({ key: 'k', mode: 'add', exptime: 60, bytes: 3 }, '9')).toBe('ms k 3 ME T60 O9\r\n')
  expect(encodeSet({ key: 'k', mode: 'set', exptime: 60, bytes: 3 }, '9')).toBe('ms k 3 MS T60 O9\r\n')
  expect(encodeSet({ key: 'k', mode: 'swap', token: '4', exptime: 60, bytes: 3 }, '9')).toBe(
    'ms k 3 C4 T60 O9\r\n',
  )
})

test('answers are the same in one piece, byte by byte, and cut in two anywhere', () => {
  expect(parse([stream])).toEqual(answers)
  expect(parse(Array.from(stream, (byte) => Buffer.of(byte)))).toEqual(answers)
  for (let cut = 0; cut <= stream.length; cut++) {
    expect(parse([stream.subarray(0, cut), stream.subarray(cut)])).toEqual(answers)
  }
})

test.each([
  'ERROR\r\n',
  'CLIENT_ERROR bad data chunk\r\n',
  'SERVER_ERROR out of memory storing object\r\n',
  'EN\r\n',
  'HD\r\n',
  'HD O1\n',
  'HD O1 extra\r\n',
  'VA 5 O1\r\n',
  'VA 5 c1\r\n',
  'VA -5 c1 O1\r\n',
  'VA 99999999 c1 O1\r\n',
  'VA 2 c1 O1\r\nhiXX',
  'VA 2 c1 O1\r\nhello\r\n',
  'VALUE k 0 2\r\n',
  '\r\n',
  'x'.repeat(257),
  `HD O${'1'.repeat(300)}\r\n`,
])('bytes that are no answer are an error: %j', (text) => {
  expect(() => createMetaParser().feed(Buffer.from(text))).toThrow(
    expect.objectContaining({ name: 'MetaError' }),
  )
})
