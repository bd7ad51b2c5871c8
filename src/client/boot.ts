// A copy of a few keys in localStorage for the first paint: IndexedDB answers some milliseconds after the first frame. It is
// of what the mirror shows, never more, and goes with it: at a sign-out, at a user switch, at the end of a session.
import { SessionError } from '../protocol/errors.ts'
import { isObject, parseOwnJson } from '../protocol/json.ts'
import { bootCopyCharacters } from '../protocol/limits.ts'
import { isEntry } from '../protocol/messages.ts'
import { format } from '../protocol/names.ts'
import { type SessionSchema, definitionOf } from '../protocol/schema.ts'
import { type Entry, type Epoch, type MirrorState, entryOf, isEpoch } from '../protocol/state.ts'
import { isNobodys } from './embedded.ts'
import { shownUntil } from './expiry-estimate.ts'
import { type LocalState, emptyLocalState, isBlank } from '../mirror/steps/local-state.ts'
import type { TabMirror } from '../mirror/tabs/tab-mirror.ts'
import { webStorage } from './web-storage.ts'

export interface BootCopy {
  /**
   * What is shown: the copy with what was written meanwhile, until the mirror has been read; then `state` itself. Nothing of
   * anybody, while the mirror is of another session than what is embedded in the page.
   */
  over(state: LocalState): LocalState
  /** The mirror is what counts from now on: the copy is not shown any more. */
  end(): void
  /** Brings the copy up to the mirror. */
  keep(mirror: TabMirror): void
}

export interface BootOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** For how long after its end a session is shown without a network. */
  readonly offlineSeconds: number | undefined
  /** The name of the copy. */
  readonly name: string
  /** The keys that are copied. Without any only what other pages copied is looked after. */
  readonly keys: readonly string[]
  /** What the page carries of its session: newer than any copy. */
  readonly embedded: MirrorState | undefined
}

/** For so long a page that copies nothing leaves another page's copy alone: opening localStorage costs, and the start is dear. */
const lookMilliseconds = 1000

/** Where there is no localStorage, nothing is copied. It is opened when it is needed: with 2 MB in it that takes 60 ms. */
export function createBootCopy({ name, keys, embedded, now, offlineSeconds }: BootOptions): BootCopy {
  const item = `${name}:boot`
  /** Null: not known yet. */
  let kept: string | undefined | null = null
  let seen = ''
  /** Of the session whose copy another page may keep; undefined before the start. */
  let ownEpoch: Epoch | null | undefined

  function store(text: string | undefined): void {
    if (text === kept) return
    kept = text
    try {
      const storage = webStorage('localStorage')
      // First away with what was: where the new one does not fit, none is better than an old one.
      storage?.removeItem(item)
      if (text !== undefined) storage?.setItem(item, text)
    } catch {
      kept = null // Full: the page paints a few milliseconds later.
    }
  }

  /** Another page's copy of a session that is no more: whoever signs out here must not leave it behind. */
  function clearOther(): void {
    if (load(item)?.includes(JSON.stringify(ownEpoch)) === true) return
    kept = null
    store(undefined)
  }

  const found = keys.length === 0 ? null : load(item)
  let copy = found === null ? undefined : parseCopy(found, keys, now())
  if (found !== null && copy === undefined) store(undefined)
  if (embedded !== undefined) copy = pick(embedded)

  return {
    over(state) {
      if (copy === undefined) return state
      const { mirror } = state
      if (isBlank(mirror) || (embedded !== undefined && isNobodys(mirror)))
        return { ...state, mirror: { ...mirror, ...copy } }
      if (embedded === undefined) return state
      if (mirror.epoch !== copy.epoch) return emptyLocalState()
      return mirror.revision < copy.revision ? { ...state, mirror: { ...mirror, ...copy } } : state
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
        const isFirst = ownEpoch === undefined
        if (ownEpoch === epoch) return
        ownEpoch = epoch
        if (!isFirst) return clearOther()
        return void setTimeout(clearOther, lookMilliseconds)
      }
      // A session that ends with the browser leaves nothing behind; one in memory has nothing to come back to.
      const isKept = epoch !== null && persistent !== false && durability === 'disk'
      const text = isKept
        ? textOf(document, { keys, until: shownUntil(document, offlineSeconds) })
        : undefined
      store(text !== undefined && text.length <= bootCopyCharacters ? text : undefined)
    },
  }
}

function load(item: string): string | null {
  try {
    return webStorage('localStorage')?.getItem(item) ?? null
  } catch {
    return null
  }
}

/** @throws SessionError `invalid-option` for a key that a browser does not see */
export function checkBootKeys(schema: SessionSchema, keys: readonly string[]): void {
  const wrong = keys.find((key) => (definitionOf(schema, key)?.access ?? 'hidden') === 'hidden')
  if (wrong !== undefined)
    throw new SessionError('invalid-option', `boot: "${wrong}" is no key that the browser may see.`)
}

function pick({ epoch, owner, revision, keys }: MirrorState): MirrorState {
  return { epoch, owner, revision, keys }
}

function textOf(
  mirror: MirrorState,
  { keys, until }: { readonly keys: readonly string[]; readonly until: number },
): string {
  const { epoch, owner } = mirror
  const entries = keys.flatMap((key): [string, Entry][] => {
    const entry = entryOf(mirror.keys, key)
    return entry === undefined ? [] : [[key, entry]]
  })
  // Without the session's own revision, which each change of other keys moves: it would be written every time.
  // To the minute: it would be written with each answer.
  const minutes = Math.ceil(until / 60_000)
  return JSON.stringify({ format, minutes, epoch, owner, keys: Object.fromEntries(entries) })
}

/** Undefined for the text of another format, or of another program, and for one that is too old to be shown. */
function parseCopy(text: string, keys: readonly string[], now: number): MirrorState | undefined {
  const value = parseOwnJson(text)
  if (!isObject(value) || value['format'] !== format || !isObject(value['keys'])) return undefined
  const { epoch, owner } = value
  if (!isEpoch(epoch)) return undefined
  const { minutes } = value
  if (typeof minutes !== 'number' || now > minutes * 60_000) return undefined
  const entries: Record<string, Entry> = {}
  for (const key of keys) {
    const entry = value['keys'][key]
    if (isEntry(entry)) entries[key] = entry
  }
  return { epoch, owner: typeof owner === 'string' ? owner : null, revision: 0, keys: entries }
}
