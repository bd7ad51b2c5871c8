// Random bodies for the session routes, the same for the same seed: from pure noise to batches that are applied.

export interface Random {
  /** 0 to 1. */
  next(): number
  /** A whole number from 0, below `limit`. */
  below(limit: number): number
  chance(probability: number): boolean
  pick<T>(list: readonly T[]): T
  /** `length` results of `make` at most, often none. */
  some<T>(length: number, make: () => T): T[]
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0
  /** Mulberry32. */
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  return {
    next,
    below,
    chance: (probability) => next() < probability,
    pick<T>(list: readonly T[]): T {
      return list[below(list.length)] as T // The lists here are not empty.
    },
    some: (length, make) => Array.from({ length: below(length + 1) }, make),
  }
}

const keys = ['theme', 'cart', 'draft', 'tags', 'visits', 'user', 'secret']
/** The second is only seen as what it is once it was parsed. */
const protos = ['__proto__', '\\u005f_proto__']
const names = [
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'valueOf',
  'toJSON',
  'then',
  'length',
]
const words = [
  'epoch',
  'owner',
  'since',
  'batch',
  'client',
  'mutations',
  'kind',
  'key',
  'value',
  'base',
  'x',
  '',
]
const strings = [
  'a',
  '\\u0000',
  '\\ud800',
  '\\udc00\\ud800',
  '\\"',
  '\\\\',
  '\u2028',
  '\ufeff',
  'ä',
  '😀',
  '%00',
]
const finite = [
  'null',
  'true',
  'false',
  '0',
  '-0',
  '1',
  '-1',
  '0.5',
  '1e3',
  '1e-400',
  '9007199254740991',
  '1e308',
]
const noJson = [
  '',
  'undefined',
  'NaN',
  '01',
  '+1',
  "'a'",
  '"',
  '{',
  ']',
  '{"a":1,}',
  '[,]',
  '\ufeff{}',
  '\0',
  '// x',
]

/** `mild`: what a session can hold, so that it gets past the parser. */
type Taste = 'mild' | 'wild'

/** The text of any JSON value; a wild one is now and then none. */
export function randomJson(random: Random, taste: Taste = 'wild', depth = 0): string {
  const shape = random.next()
  if (shape < 0.3 || depth > 5) return random.pick(taste === 'mild' ? finite : [...finite, '1e400', '-1e400'])
  if (shape < 0.55) return `"${random.pick(random.pick([strings, names, words, keys]))}"`
  if (shape < 0.56 && taste === 'wild') return random.pick(noJson)
  if (shape < 0.565) return nested(random, taste)
  if (shape < 0.75) return `[${random.some(4, () => randomJson(random, taste, depth + 1)).join(',')}]`
  const name = (): string => random.pick(random.pick([taste === 'mild' ? names : protos, names, words, keys]))
  return `{${random.some(4, () => `"${name()}":${randomJson(random, taste, depth + 1)}`).join(',')}}`
}

function nested(random: Random, taste: Taste): string {
  const [open, close] = random.pick([
    ['[', ']'],
    ['{"a":', '}'],
    ['{"constructor":{"prototype":', '}}'],
    [taste === 'mild' ? '{"x":[' : '{"__proto__":[', ']}'],
  ])
  const levels = random.pick(taste === 'mild' ? [5, 14, 26, 27, 28] : [14, 27, 28, 29, 31, 32, 33, 100])
  return `${open?.repeat(levels)}1${close?.repeat(taste === 'mild' || random.chance(0.9) ? levels : 1)}`
}

/** Bodies that cost something: made seldom. */
export function hugeJson(random: Random): string {
  const many = (make: (index: number) => string, length: number): string =>
    Array.from({ length }, (_, index) => make(index)).join(',')
  return random.pick<() => string>([
    () => '['.repeat(200_000),
    () => '{"__proto__":'.repeat(20_000),
    () => `"${'x'.repeat(400_000)}"`,
    () => `"${'\\ud800'.repeat(50_000)}"`,
    () => `{${many((index) => `"key${index}":${index}`, 20_000)}}`,
    () => `{${many(() => '"__proto__":{"x":1}', 5000)}}`,
    () => `[${many(() => '[]', 50_000)}]`,
    () => `${'9'.repeat(100_000)}`,
  ])()
}

/** What is right for a session at this moment. */
export interface Truth {
  readonly epoch: string | null
  readonly owner: string | null
  readonly revision: number
  /** Of the batch. */
  readonly number: number
}

export function randomBody(random: Random, truth: Truth): string {
  const shape = random.next()
  if (shape < 0.0005) return hugeJson(random)
  if (shape < 0.05) return randomJson(random)
  const fields = [
    `"epoch":${mostly(random, JSON.stringify(truth.epoch))}`,
    `"owner":${mostly(random, JSON.stringify(truth.owner))}`,
    `"since":${mostly(random, String(Math.max(0, truth.revision - random.below(3))))}`,
    ...optional(random, 0.9, () => `"batch":${mostly(random, JSON.stringify(randomBatch(random, truth)))}`),
    ...optional(random, 0.03, () => `"${random.pick(protos)}":${randomJson(random)}`),
  ]
  const body = `{${fields.join(',')}}`
  return random.chance(0.05) ? damaged(random, body) : body
}

function randomBatch(random: Random, truth: Truth): string {
  const length = random.chance(0.001) ? random.pick([199, 200, 201, 1000]) : 1 + random.below(4)
  const list = Array.from({ length }, () => randomMutation(random, truth)).join(',')
  // Few clients: a session remembers eight, and one more would rightly be told to come again.
  const clients = ['"client-of-fuzz"', '"__proto__"', '"constructor"', '"hasOwnProperty"']
  const number = random.chance(0.9) ? truth.number : random.below(truth.number)
  const fields = [
    `"client":${random.pick(random.chance(0.97) ? clients : [...finite, '[]', '{}', '"short"'])}`,
    `"number":${mostly(random, String(number))}`,
    `"mutations":${mostly(random, `[${list}]`)}`,
    ...optional(random, 0.02, () => `"${random.pick(protos)}":${randomJson(random)}`),
  ]
  return random.chance(0.03) ? damaged(random, `{${fields.join(',')}}`) : `{${fields.join(',')}}`
}

function randomMutation(random: Random, { epoch, revision }: Truth): string {
  const kind = random.pick(['set', 'set', 'set', 'remove', 'increment'])
  const key = kind === 'increment' && random.chance(0.8) ? 'visits' : random.pick(keys)
  const taste = random.chance(0.95) ? 'mild' : 'wild'
  const json = (): string => randomJson(random, taste)
  // Of a session that begins here, and not of the live one: that must not become full.
  const value = (): string => (epoch === null && random.chance(0.002) ? hugeValue(random) : json())
  const seen = revision - random.below(3)
  const base = (): string => `{"epoch":${JSON.stringify(epoch)},"revision":${seen},"value":${json()}}`
  const fields = [
    `"id":"mutation-${random.below(1000)}"`,
    `"kind":"${random.chance(0.98) ? kind : random.pick(names)}"`,
    `"key":${random.chance(0.97) ? `"${key}"` : randomJson(random)}`,
    ...(kind === 'set' ? [`"value":${value()}`] : []),
    ...(kind === 'increment' ? [`"by":${random.chance(0.9) ? random.below(99) : json()}`] : []),
    ...(kind === 'increment' ? [] : optional(random, 0.3, () => `"base":${mostly(random, base())}`)),
    ...optional(random, 0.01, () => `"${random.pick(protos)}":${json()}`),
  ]
  return `{${fields.join(',')}}`
}

function hugeValue(random: Random): string {
  return `"${random.pick(['x', 'ä', '\\u0001']).repeat(random.pick([20_000, 100_000, 300_000]))}"`
}

/** `right`, but for one time in twenty. */
function mostly(random: Random, right: string): string {
  return random.chance(0.95) ? right : randomJson(random)
}

function optional(random: Random, probability: number, make: () => string): string[] {
  return random.chance(probability) ? [make()] : []
}

/** With a piece cut out, doubled or replaced; never as it was. */
export function damaged(random: Random, text: string): string {
  const at = random.below(text.length)
  const end = at + 1 + random.below(5)
  const piece = random.pick([
    '',
    text.slice(at, end).repeat(2),
    '\0',
    '"',
    '}',
    '\ufeff',
    '\ud800',
    '__proto__',
  ])
  const result = text.slice(0, at) + piece + text.slice(end)
  return result === text ? `${text}x` : result
}
