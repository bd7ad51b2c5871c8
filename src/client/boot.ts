// A copy of a few keys in localStorage for the first paint: IndexedDB answers some milliseconds after the first frame. It is
// of what the mirror shows, never more, and goes with it: at a sign-out, at a user switch, at the end of a session.
import { SessionError } from '../protocol/errors.ts'
import { isObject } from '../protocol/json.ts'
import { bootCopyCharacters } from '../protocol/limits.ts'
import { format } from '../protocol/names.ts'
import { type SessionSchema, definitionOf } from '../protocol/schema.ts'
import { type Entry, type MirrorState, entryOf, isEpoch } from '../protocol/state.ts'
import { type LocalState, isBlank } from '../mirror/steps/local-state.ts'
import type { TabMirror } from '../mirror/tabs/tab-mirror.ts'

export interface BootCopy {
  /** What is shown until the mirror is read; undefined when there is no copy. */
  read(): MirrorState | undefined
  /** Brings the copy up to the mirror. */
  keep(mirror: TabMirror): void
}

/** Where there is no localStorage, nothing is copied. Without keys only what other pages copied is looked after. */
export function createBootCopy(name: string, keys: readonly string[]): BootCopy {
  const storage = storageOf()
  const item = `${name}:boot`
  /** Null: not known yet. */
  let kept: string | undefined | null = null
  let seen = ''

  function load(): string | null {
    try {
      return storage?.getItem(item) ?? null
    } catch {
      return null
    }
  }

  function store(text: string | undefined): void {
    if (text === kept) return
    kept = text
    try {
      // First away with what was: where the new one does not fit, none is better than an old one.
      storage?.removeItem(item)
      if (text !== undefined) storage?.setItem(item, text)
    } catch {
      kept = null // Full: the page paints a few milliseconds later.
    }
  }

  return {
    read() {
      const text = keys.length === 0 ? null : load()
      const mirror = parse(text, keys)
      if (text !== null && mirror === undefined) store(undefined)
      return mirror
    },
    keep({ durability, document }) {
      const { epoch, persistent, version } = document
      // Every write comes by here; only the mirror counts.
      if (seen === durability + version) return
      seen = durability + version
      if (keys.length === 0) {
        // Another page's copy of a session that is no more: whoever signs out here must not leave it behind.
        if (load()?.includes(JSON.stringify(epoch)) === true) return
        kept = null
        return store(undefined)
      }
      // A session that ends with the browser leaves nothing behind; one in memory has nothing to come back to.
      const isKept = epoch !== null && persistent !== false && durability === 'disk'
      const text = isKept ? textOf(document, keys) : undefined
      store(text !== undefined && text.length <= bootCopyCharacters ? text : undefined)
    },
  }
}

/** @throws SessionError `invalid-option` for a key that a browser does not see */
export function checkBootKeys(schema: SessionSchema, keys: readonly string[]): readonly string[] {
  const wrong = keys.find((key) => (definitionOf(schema, key)?.access ?? 'hidden') === 'hidden')
  if (wrong === undefined) return keys
  throw new SessionError('invalid-option', `boot: "${wrong}" is no key that the browser may see.`)
}

/** What is shown first: the copy, with what was written meanwhile, until there is a mirror. */
export function withMirror(state: LocalState, mirror: MirrorState | undefined): LocalState {
  if (mirror === undefined || !isBlank(state.mirror)) return state
  return { ...state, mirror: { ...state.mirror, ...mirror } }
}

function textOf(mirror: MirrorState, keys: readonly string[]): string {
  const { epoch, owner } = mirror
  const entries = keys.flatMap((key): [string, Entry][] => {
    const entry = entryOf(mirror.keys, key)
    return entry === undefined ? [] : [[key, entry]]
  })
  // Without the session's own revision, which each change of other keys moves: it would be written every time.
  return JSON.stringify({ format, epoch, owner, keys: Object.fromEntries(entries) })
}

function parse(text: string | null, keys: readonly string[]): MirrorState | undefined {
  try {
    const value: unknown = JSON.parse(text ?? 'null')
    if (!isObject(value) || value['format'] !== format || !isObject(value['keys'])) return undefined
    const { epoch, owner } = value
    if (!isEpoch(epoch)) return undefined
    const entries = Object.entries(value['keys']).filter(
      ([key, entry]) => keys.includes(key) && isEntry(entry),
    )
    // Checked one by one, just now.
    return {
      epoch,
      owner: typeof owner === 'string' ? owner : null,
      revision: 0,
      keys: Object.fromEntries(entries),
    } as MirrorState
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
