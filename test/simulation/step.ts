// From one state of a stored session to the next: what the batches in between say, and whether that is what happened.
import { numberOf, wordPattern } from './schema.ts'

export interface ToldMutation {
  readonly id: string
  readonly kind: string
  readonly key: string
  readonly value?: unknown
  readonly by?: number
}
export interface Memo {
  readonly client: string
  readonly number: number
  readonly hash: string
  readonly outcomes: readonly { readonly code: string }[]
}
export interface StoredRecord {
  readonly epoch: string
  readonly owner: string | null
  readonly revision: number
  readonly keys: Readonly<Record<string, readonly [number, unknown]>>
  readonly clients: readonly Memo[]
}

export interface Step {
  readonly mutation: ToldMutation
  readonly code: string
}

type Complain = (text: string) => void

/** The number of the write that a mutation carries out. */
export function writeOf({ key, value, by }: ToldMutation): number {
  if (key === 'count') return by ?? 0
  const text = Array.isArray(value) ? value.at(-1) : value
  return typeof text === 'string' ? numberOf(text) : 0
}

export function wordsIn(value: unknown): readonly string[] {
  return JSON.stringify(value ?? null).match(wordPattern) ?? []
}

/** Nothing is lost, and nothing is there that no batch and no app has put there. */
export function checkStep(
  before: StoredRecord,
  after: StoredRecord,
  { batches, complain }: { readonly batches: readonly Step[][]; readonly complain: Complain },
): void {
  const steps = batches.flat().filter(({ code }) => code === 'ok')
  for (const key of ['list', 'tags', 'log']) {
    const has = new Set(wordsOf(after, key))
    const missing = wordsOf(before, key).filter((text) => !has.has(text))
    if (missing.length > 0) complain(`${missing.join()} lost from ${key}`)
  }
  let sum = countOf(before)
  for (const { mutation } of steps) {
    if (mutation.key === 'count') sum += mutation.by ?? 0
    if (
      ['list', 'tags'].includes(mutation.key) &&
      !wordsIn(after.keys[mutation.key]).includes(lastOf(mutation))
    )
      complain(`write ${writeOf(mutation)} is said to be in ${mutation.key}, and is not`)
  }
  if (countOf(after) !== sum) complain(`the counter is ${countOf(after)} instead of ${sum}`)
  for (const key of ['note', 'strict', 'picky']) {
    const last = batches.map((batch) =>
      batch.findLast((step) => step.code === 'ok' && step.mutation.key === key),
    )
    const possible = last.flatMap((step) => (step === undefined ? [] : [step.mutation.value]))
    const allowed = possible.length === 0 ? [before.keys[key]?.[1]] : possible
    if (!allowed.includes(after.keys[key]?.[1])) complain(`${key} is ${String(after.keys[key]?.[1])}`)
  }
  if ('gone' in after.keys) complain('a key that the server does not know was stored')
}

function lastOf({ value }: ToldMutation): string {
  return String(Array.isArray(value) ? value.at(-1) : value)
}

function wordsOf({ keys }: StoredRecord, key: string): readonly string[] {
  const value = keys[key]?.[1]
  return Array.isArray(value) ? value : []
}

function countOf({ keys }: StoredRecord): number {
  const value = keys['count']?.[1]
  return typeof value === 'number' ? value : 0
}
