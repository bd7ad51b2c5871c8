// Both parsers against streams that were cut, changed, mixed up or made up. The same seed gives the same cases.
import { describe, expect, test } from 'vitest'
import type { Reply } from '../../../src/stores/memcached/dialect.ts'
import { type Exchange, dialects, parse, randomExchange } from '../../support/exchanges.ts'
import { counts } from '../../support/counts.ts'
import { randomOf } from '../../support/random.ts'

const cases = counts.parsedStreams
const exchangesOf = (dialect: (typeof dialects)[number], random: () => number, count: number): Exchange[] =>
  Array.from({ length: count }, (_, index) => randomExchange(dialect, random, (index + 10).toString(36)))
const streamOf = (exchanges: readonly Exchange[]): Buffer =>
  Buffer.concat(exchanges.map(({ bytes }) => bytes))
/** Quicker than `toEqual`, for hundreds of thousands of them. */
const same = (one: Reply | undefined, other: Reply | undefined): boolean =>
  one?.kind === 'hit' && other?.kind === 'hit'
    ? one.token === other.token && one.value.equals(other.value)
    : one?.kind === other?.kind && one?.kind !== 'hit'
const sameStart = (answers: readonly Reply[], exchanges: readonly Exchange[]): boolean =>
  answers.every((answer, index) => same(answer, exchanges[index]?.answer))

describe.each(dialects)('the $name parser', (dialect) => {
  test('a parser gives the same 200 answers wherever the stream is cut in two', () => {
    const exchanges = exchangesOf(dialect, randomOf(1), 200)
    const stream = streamOf(exchanges)
    for (let cut = 0; cut <= stream.length; cut++) {
      const { answers, error } = parse(dialect, exchanges, [stream.subarray(0, cut), stream.subarray(cut)])
      if (error !== undefined || answers.length !== 200 || !sameStart(answers, exchanges))
        expect(cut).toBe('good')
    }
  })

  test('a parser gives the same answers in any pieces', () => {
    const random = randomOf(2)
    for (let round = 0; round < cases; round++) {
      const exchanges = exchangesOf(dialect, random, 1 + Math.floor(random() * 6))
      const stream = streamOf(exchanges)
      const chunks: Buffer[] = []
      for (let start = 0; start < stream.length;) {
        const end = start + 1 + Math.floor(random() * random() * 60)
        chunks.push(stream.subarray(start, end))
        start = end
      }
      const { answers, error } = parse(dialect, exchanges, chunks)
      if (error !== undefined || answers.length !== exchanges.length || !sameStart(answers, exchanges))
        expect({ round, error }).toBe('good')
    }
  })

  test('a parser gives no answer that is not whole, and none before its turn', () => {
    const random = randomOf(3)
    for (let round = 0; round < cases; round++) {
      const exchanges = exchangesOf(dialect, random, 1 + Math.floor(random() * 4))
      const stream = streamOf(exchanges)
      const length = Math.floor(random() * stream.length)
      const { answers, error } = parse(dialect, exchanges, [stream.subarray(0, length)])
      let [whole, end] = [0, 0]
      for (const { bytes } of exchanges) if ((end += bytes.length) <= length) whole++
      if (error !== undefined || answers.length !== whole || !sameStart(answers, exchanges))
        expect({ round, error }).toBe('good')
    }
  })

  test('a parser takes no garbage for an answer', () => {
    const random = randomOf(4)
    const words = [
      'VA ',
      'VALUE ',
      'other',
      'HD',
      'EN',
      ' ',
      '0',
      '5',
      ' s5',
      ' c1',
      ' O',
      'zz',
      '\r\n',
      '\n',
      'ERROR',
      'hello',
    ]
    for (let round = 0; round < cases; round++) {
      const [exchange] = exchangesOf(dialect, random, 1)
      const parts = Array.from({ length: 1 + Math.floor(random() * 12) }, () =>
        round % 2 === 0
          ? Buffer.from(words[Math.floor(random() * words.length)] ?? '')
          : Buffer.from(
              Array.from({ length: 1 + Math.floor(random() * 20) }, () => Math.floor(random() * 256)),
            ),
      )
      const { answers } = parse(dialect, exchange === undefined ? [] : [exchange], [
        Buffer.concat(parts),
        ...parts,
      ])
      if (answers.length > 0) expect({ round, answers }).toBe('no answer')
    }
  })

  test("a parser gives no value from another one's answer", () => {
    const random = randomOf(5)
    for (let round = 0; round < cases; round++) {
      const [asked, other] = exchangesOf(dialect, random, 2)
      if (asked === undefined || other === undefined) throw new Error('two')
      const { answers, error } = parse(dialect, [asked], [other.bytes])
      const hits = answers.filter(({ kind }) => kind === 'hit')
      if (hits.length > 0) expect({ round }).toBe('no value')
      // Of a classic command "stored" is all that there is to see; its turn says whose it is.
      const isMeta = dialect.name === 'meta' && !['add', 'swap'].includes(other.command.kind)
      const isNamed = isMeta || other.answer.kind === 'hit'
      if (isNamed && (answers.length > 0 || error === undefined)) expect({ round }).toBe('an error')
    }
  })

  test('a parser notices a wrong bit in all that holds an answer together', () => {
    const random = randomOf(6)
    for (let round = 0; round < cases; round++) {
      const exchanges = exchangesOf(dialect, random, 1 + Math.floor(random() * 4))
      const stream = Buffer.from(streamOf(exchanges))
      const frame = exchanges.flatMap((exchange) => exchange.frame)
      const places = [...frame.keys()].filter((place) => frame[place] === true)
      const place = places[Math.floor(random() * places.length)] ?? 0
      stream.writeUInt8((stream[place] ?? 0) ^ (1 << Math.floor(random() * 8)), place)
      const { answers, error } = parse(dialect, exchanges, [stream])
      const isNoticed = error !== undefined || answers.length < exchanges.length
      if (!isNoticed || !sameStart(answers, exchanges))
        expect({ round, text: stream.toString('latin1') }).toBe('noticed')
    }
  })
})
