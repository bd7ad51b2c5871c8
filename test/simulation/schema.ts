// The session that is simulated: a key of each kind. Every value names its owner and its write, so that it can be
// told wherever it turns up.
import { type Validator, defineSession, hidden, readable, writable } from '../../src/schema.ts'

type Words = readonly string[]
const none: Words = []

/** Theirs, and what I added. */
function union(base: Words | undefined, mine: Words, theirs: Words | undefined): Words {
  const known = theirs ?? none
  return [...known, ...mine.filter((word) => !(base ?? none).includes(word) && !known.includes(word))]
}

/** Refuses every third write. */
const pickyOnTheServer: Validator<string> = {
  '~standard': {
    version: 1,
    vendor: 'simulation',
    validate: (value) =>
      typeof value === 'string' && Number(value.split('#')[1]) % 3 !== 0
        ? { value }
        : { issues: [{ message: 'A third of all writes is refused.' }] },
  },
}

const shared = {
  user: readable<string>(),
  log: readable<Words>({ default: none }),
  note: writable<string>({ default: '' }),
  list: writable<Words>({ default: none }),
  strict: writable<string>({ policy: 'if-unchanged' }),
  tags: writable<Words>({ default: none, policy: { merge: union } }),
  count: writable.counter(),
  secret: hidden<string>(),
}

/** The browser is of another version than the server: it knows a key too many, and a validator too few. */
export const browserSchema = defineSession({
  ...shared,
  gone: writable<string>(),
  picky: writable<string>(),
})
export const serverSchema = defineSession({ ...shared, picky: writable<string>(pickyOnTheServer) })

export type BrowserSchema = typeof browserSchema
export type ServerSchema = typeof serverSchema

export const visibleKeys = ['user', 'log', 'note', 'list', 'strict', 'tags', 'count', 'picky'] as const

/** `ada#17`: written by the page of ada, as the 17th write. */
export const word = (owner: string | null | undefined, write: number): string =>
  `${owner === undefined ? 'early' : (owner ?? 'anon')}#${write}`
export const numberOf = (text: string): number => Number(text.split('#')[1])
export const wordPattern: RegExp = /\b(ada|grace|anon|early)#\d+/g
