// A process that shares a store with others: `node store-child.ts <store> <place> <task> [key] [count]`.
// It says what was acknowledged on its output, line by line, before it goes on: it may be killed at any moment.
import { writeSync } from 'node:fs'
import { fileStore } from '../../src/file.ts'
import { sqliteStore } from '../../src/sqlite.ts'
import type { Store } from '../../src/stores/store.ts'

const [kind = '', place = '', task = '', key = 'key', count = '1'] = process.argv.slice(2)
/** So long that a busy machine gives everybody a turn; a store that never answers would still be told. */
const timeoutMilliseconds = 30_000
const store: Store =
  kind === 'sqlite'
    ? sqliteStore({ path: place, timeoutMilliseconds })
    : fileStore({ directory: place, timeoutMilliseconds })
const say = (line: string): void => void writeSync(1, `${line}\n`)
const bytes = (number: number): Uint8Array => new TextEncoder().encode(String(number).padEnd(2000))
const unavailable: unknown[] = []

async function valueAt(at: string): Promise<{ readonly token: string; readonly number: number } | undefined> {
  const read = await store.read(at, 600)
  if (read.kind === 'unavailable') unavailable.push(read.cause)
  if (read.kind !== 'hit') return undefined
  return { token: read.token, number: Number(new TextDecoder().decode(read.value)) }
}

const tasks: Record<string, () => Promise<void>> = {
  /** Adds one, by compare-and-swap, until `count` of them were stored. */
  async increment() {
    let [stored, conflicts] = [0, 0]
    while (stored < Number(count)) {
      const value = await valueAt(key)
      if (value === undefined) continue
      const replaced = await store.replace(key, bytes(value.number + 1), {
        token: value.token,
        ttlSeconds: 600,
      })
      if (replaced.kind === 'stored') stored++
      if (replaced.kind === 'conflict') conflicts++
      if (replaced.kind === 'unavailable') unavailable.push(replaced.cause)
    }
    say(JSON.stringify({ stored, conflicts, unavailable: unavailable.map(String) }))
  },
  /** Creates one key `count` times at once. */
  async create() {
    const made = await Promise.all(
      Array.from({ length: Number(count) }, () => store.create(key, bytes(1), 600)),
    )
    say(JSON.stringify({ kinds: made.map((one) => one.kind) }))
  },
  /** Writes until it is killed, and says each write that was acknowledged; `end` every tenth time, as a tombstone. */
  async write() {
    for (let round = 0; ; round++) {
      const at = `${key}:${round % 7}`
      const value = await valueAt(at)
      const next = (value?.number ?? 0) + 1
      const answer =
        value === undefined
          ? await store.create(at, bytes(next), 600)
          : round % 10 === 0
            ? await store.end(at, bytes(next), 600)
            : await store.replace(at, bytes(next), { token: value.token, ttlSeconds: 600 })
      if (answer.kind === 'stored') say(`${at} ${next}`)
      if (answer.kind === 'unavailable') say(`unavailable ${String(answer.cause)}`)
    }
  },
  /** Adds one to the same key until it is killed, and says each time that it was stored. */
  async race() {
    for (;;) {
      const value = await valueAt(key)
      if (value === undefined) {
        say(`unavailable ${String(unavailable.pop())}`)
        continue
      }
      const changed = await store.replace(key, bytes(value.number + 1), {
        token: value.token,
        ttlSeconds: 600,
      })
      if (changed.kind === 'stored') say('stored')
      if (changed.kind === 'unavailable') say(`unavailable ${String(changed.cause)}`)
    }
  },
  /** Creates keys until one is not taken: how many were, and what came then. */
  async fill() {
    for (let made = 0; made < 5000; made++) {
      const answer = await store.create(`${key}:${made}`, bytes(made), 600)
      if (answer.kind === 'stored') continue
      const first = await store.read(`${key}:0`, null)
      say(JSON.stringify({ made, kind: answer.kind, first: first.kind }))
      return
    }
    say(JSON.stringify({ made: 5000 }))
  },
  /** One of each operation; the kinds of the answers. */
  async each() {
    const created = await store.create(`${key}:new`, bytes(1), 600)
    const read = await store.read(key, 600)
    const quiet = await store.read(key, null)
    const token = quiet.kind === 'hit' ? quiet.token : ''
    const replaced = await store.replace(key, bytes(2), { token, ttlSeconds: 600 })
    const ended = await store.end(key, bytes(3), 600)
    say(JSON.stringify([created, read, quiet, replaced, ended].map((one) => one.kind)))
  },
}

await tasks[task]?.()
await store.close()
