// A copy of a few keys in localStorage for the first paint: IndexedDB answers some milliseconds after the first frame. It is
// of what the mirror shows, never more, and goes with it: at a sign-out, at a user switch, at the end of a session.
import { SessionError } from '../protocol/errors.ts'
import { isObject } from '../protocol/json.ts'
import { format } from '../protocol/names.ts'
import { type SessionSchema, definitionOf } from '../protocol/schema.ts'
import { type Entry, type Mirror, entryOf, isEpoch } from '../protocol/state.ts'
import type { LocalState } from '../mirror/local.ts'
import type { TabMirror } from '../mirror/mirror.ts'

export interface BootCopy {
  /** What is shown until the mirror is read; undefined when there is no copy. */
  read(): Mirror | undefined
  /** Brings the copy up to the mirror. */
  keep(mirror: TabMirror): void
}

/** Characters of the copy: reading more than this at the start costs what it should save. */
const mostCharacters = 32_768

/** Does nothing where no key is to be copied, or where there is no localStorage. */
export function createBootCopy(name: string, keys: readonly string[]): BootCopy {
  const storage = keys.length === 0 ? undefined : storageOf()
  const item = `${name}:boot`
  /** Null: not known yet. */
  let kept: string | undefined | null = null

  function store(text: string | undefined): void {
    if (text === kept || storage === undefined) return
    kept = text
    try {
      // First away with what was: where the new one does not fit, none is better than an old one.
      storage.removeItem(item)
      if (text !== undefined) storage.setItem(item, text)
    } catch {
      kept = null // Full: the page paints a few milliseconds later.
    }
  }

  return {
    read() {
      const mirror = parse(storage?.getItem(item) ?? null, keys)
      if (mirror === undefined) storage?.removeItem(item)
      return mirror
    },
    keep({ durability, state }) {
      const { mirror, persistent } = state.mirror
      // A session that ends with the browser leaves nothing behind; one in memory has nothing to come back to.
      const isKept = mirror.epoch !== null && persistent !== false && durability === 'disk'
      const text = isKept ? textOf(mirror, keys) : undefined
      store(text !== undefined && text.length <= mostCharacters ? text : undefined)
    },
  }
}

/** @throws SessionError `invalid-option` for a key that a browser does not see */
export function checkBootKeys(schema: SessionSchema, keys: readonly string[]): readonly string[] {
  const wrong = keys.find((key) => (definitionOf(schema, key)?.access ?? 'hidden') === 'hidden')
  if (wrong === undefined) return keys
  throw new SessionError('invalid-option', `boot: "${wrong}" is no key that the browser may see.`)
}

/** What is shown first. */
export function withMirror(state: LocalState, mirror: Mirror | undefined): LocalState {
  return mirror === undefined ? state : { ...state, mirror: { ...state.mirror, mirror } }
}

function textOf(mirror: Mirror, keys: readonly string[]): string {
  const { epoch, owner, revision } = mirror
  const entries = keys.flatMap((key): [string, Entry][] => {
    const entry = entryOf(mirror.keys, key)
    return entry === undefined ? [] : [[key, entry]]
  })
  return JSON.stringify({ format, epoch, owner, revision, keys: Object.fromEntries(entries) })
}

function parse(text: string | null, keys: readonly string[]): Mirror | undefined {
  try {
    const value: unknown = JSON.parse(text ?? 'null')
    if (!isObject(value) || value['format'] !== format || !isObject(value['keys'])) return undefined
    const { epoch, owner, revision } = value
    if (!isEpoch(epoch) || typeof revision !== 'number') return undefined
    const entries = Object.entries(value['keys']).filter(
      ([key, entry]) => keys.includes(key) && isEntry(entry),
    )
    // Checked one by one, just now.
    return {
      epoch,
      owner: typeof owner === 'string' ? owner : null,
      revision,
      keys: Object.fromEntries(entries),
    } as Mirror
  } catch {
    return undefined // Somebody else's text.
  }
}

function isEntry(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === 'number' && value[1] !== undefined
}

function storageOf(): Storage | undefined {
  try {
    return typeof localStorage === 'undefined' ? undefined : localStorage
  } catch {
    return undefined // Storage is forbidden here: reading the property throws.
  }
}
