// A copy of a few keys in localStorage for the first paint: IndexedDB answers some milliseconds after the first frame. It is
// of what the mirror shows, never more, and goes with it: at a sign-out, at a user switch, at the end of a session.
import { SessionError } from '../protocol/errors.ts'
import { isObject, parseOwnJson } from '../protocol/json.ts'
import { bootCopyCharacters } from '../protocol/limits.ts'
import { isEntry } from '../protocol/messages.ts'
import { format } from '../protocol/names.ts'
import { type SessionSchema, definitionOf } from '../protocol/schema.ts'
import { type Entry, type MirrorState, entryOf, isEpoch } from '../protocol/state.ts'
import { type LocalState, isBlank } from '../mirror/steps/local-state.ts'
import type { TabMirror } from '../mirror/tabs/tab-mirror.ts'
import { webStorage } from './web-storage.ts'

export interface BootCopy {
  /** What is shown: the copy with what was written meanwhile, until the mirror has been read; then `state` itself. */
  over(state: LocalState): LocalState
  /** The mirror has been read: the copy is not shown any more. */
  end(): void
  /** Brings the copy up to the mirror. */
  keep(mirror: TabMirror): void
}

/** Where there is no localStorage, nothing is copied. Without keys only what other pages copied is looked after. */
export function createBootCopy(name: string, keys: readonly string[]): BootCopy {
  const storage = webStorage('localStorage')
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

  const found = keys.length === 0 ? null : load()
  let copy = found === null ? undefined : parseCopy(found, keys)
  if (found !== null && copy === undefined) store(undefined)

  return {
    over(state) {
      if (copy === undefined || !isBlank(state.mirror)) return state
      return { ...state, mirror: { ...state.mirror, ...copy } }
    },
    end() {
      copy = undefined
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

function textOf(mirror: MirrorState, keys: readonly string[]): string {
  const { epoch, owner } = mirror
  const entries = keys.flatMap((key): [string, Entry][] => {
    const entry = entryOf(mirror.keys, key)
    return entry === undefined ? [] : [[key, entry]]
  })
  // Without the session's own revision, which each change of other keys moves: it would be written every time.
  return JSON.stringify({ format, epoch, owner, keys: Object.fromEntries(entries) })
}

/** Undefined for the text of another format, or of another program. */
function parseCopy(text: string, keys: readonly string[]): MirrorState | undefined {
  const value = parseOwnJson(text)
  if (!isObject(value) || value['format'] !== format || !isObject(value['keys'])) return undefined
  const { epoch, owner } = value
  if (!isEpoch(epoch)) return undefined
  const entries: Record<string, Entry> = {}
  for (const key of keys) {
    const entry = value['keys'][key]
    if (isEntry(entry)) entries[key] = entry
  }
  return { epoch, owner: typeof owner === 'string' ? owner : null, revision: 0, keys: entries }
}
