// One request's session from load to answer: what is saved, in which order, and which cookie the answer sets.
// The cookie is decided only after everything is stored.
import { SessionError } from '../protocol/errors.ts'
import { headers } from '../protocol/names.ts'
import type { Entries } from '../protocol/state.ts'
import { type SignIn, createRecord, fits, isEmpty, keptKeys, signedIn } from './change.ts'
import type { Commit } from './commit.ts'
import { type Core, now } from './core.ts'
import { type Draft, createDraft } from './draft.ts'
import { type Loaded, judge } from './load.ts'
import { locate } from './locate.ts'
import { type Place, type SessionRecord, createPlace } from './record.ts'
import { createAt, endSession, relocate, tombstone } from './relocate.ts'
import { cookieHeaders, wantsRenewal } from './renew.ts'
import type { CoreRequest } from './request.ts'
import type { Header } from './respond.ts'
import type { Saved } from './session.ts'

/** Where the session is as far as this request knows. */
export interface Present {
  readonly place: Place
  readonly record: SessionRecord
  /** The compare-and-swap token, while it is unused. */
  readonly token: string
}

export interface OpenSession {
  readonly core: Core
  readonly loaded: Loaded
  readonly draft: Draft
  readonly present: Present | undefined
  readonly signingIn: SignIn | undefined
  readonly isDestroyed: boolean
  /** What reads see below the draft. */
  readonly entries: Entries
  readonly isDirty: boolean
  /** False while `save` has something to do before the answer may go: changes, or a renewed cookie. */
  readonly isSettled: boolean
  /** A `save` failed and its changes are still here: only the app may try again. */
  readonly hasFailed: boolean
  /** Whether the app has looked at the session or changed it: its answer depends on the cookie then. */
  readonly isTouched: boolean
  touch(): void
  signIn(signIn: SignIn): void
  destroy(): void
  save(): Promise<Saved>
  revert(): void
  /** Session-Revision, and the cookie if it is set or cleared. */
  headers(): Header[]
}

type CookieFate = 'keep' | 'set' | 'clear'

/** Seconds after which a renewed cookie might be that of a session which was replaced meanwhile. */
const recheckAfter = 1

export function openSession(
  core: Core,
  request: CoreRequest,
  { loaded, commit }: { readonly loaded: Loaded; readonly commit: Commit },
): OpenSession {
  const draft = createDraft(core.schema)
  let present: Present | undefined = loaded.state === 'live' ? loaded : undefined
  let signingIn: SignIn | undefined
  let isDestroyed = false
  let hasFailed = false
  let isTouched = false
  let fate: CookieFate = 'keep'
  let isRenewalDue = loaded.state === 'live' && wantsRenewal(core, loaded)
  let saving: Promise<unknown> = Promise.resolve()

  const isDirty = (): boolean => isDestroyed || signingIn !== undefined || !draft.isEmpty

  async function store(): Promise<Saved> {
    try {
      if (isDestroyed) await storeEnd()
      if (signingIn !== undefined) await storeSignIn(signingIn)
      else if (!draft.isEmpty) await storeChanges()
      await renew()
      hasFailed = false
    } catch (error) {
      hasFailed = isDirty()
      throw error
    }
    return { epoch: present?.record.epoch ?? null, revision: present?.record.revision ?? 0 }
  }

  async function storeEnd(): Promise<void> {
    const place = present?.place ?? (loaded.state === 'dead' ? loaded.place : undefined)
    if (place !== undefined) await endSession(core, place, 'signed-out')
    present = undefined
    isDestroyed = false
    fate = loaded.state === 'none' ? 'keep' : 'clear'
  }

  async function storeChanges(): Promise<void> {
    const changes = draft.take()
    if (present === undefined) {
      const record = changes.apply(createRecord(core, null))
      if (!isEmpty(record))
        await adopt(createAt(core, createPlace(core.ring, core.crypto), checkSize(record)))
    } else {
      const { place, record } = await commit(present, (before) => ({
        record: changes.apply(before),
        result: undefined,
      }))
      present = { place, record, token: '' }
    }
    changes.done()
  }

  async function storeSignIn(wanted: SignIn): Promise<void> {
    const changes = draft.take()
    const next = (before: SessionRecord | undefined): SessionRecord =>
      checkSize(changes.apply(signedIn(createRecord(core, wanted.owner), before, wanted)))
    const moved =
      present &&
      (await relocate(core, present.place, (found) => ({
        to: createPlace(core.ring, core.crypto),
        record: next(found.record),
        leave: tombstone(core, 'replaced'),
      })))
    // An old session that ended meanwhile has nothing to carry; signing in does not depend on it.
    if (moved === undefined || 'state' in moved) {
      await adopt(createAt(core, createPlace(core.ring, core.crypto), next(undefined)))
    } else await adopt(Promise.resolve(moved))
    if (signingIn === wanted) signingIn = undefined
    changes.done()
  }

  async function adopt(
    moving: Promise<{ readonly place: Place; readonly record: SessionRecord }>,
  ): Promise<void> {
    present = { ...(await moving), token: '' }
    fate = 'set'
  }

  /** A slow answer must not bring back the cookie of a session that was replaced while it ran. */
  async function renew(): Promise<void> {
    if (!isRenewalDue || loaded.state !== 'live' || fate !== 'keep') return
    if (now(core) - loaded.loadedAt > recheckAfter) {
      const found = await locate(core, loaded.places[0] ?? loaded.place)
      if (judge(core, loaded.cookie, found) !== undefined || found.state !== 'live') return
      present = { place: found.place, record: found.record, token: '' }
    }
    isRenewalDue = false
    fate = 'set'
  }

  return {
    core,
    loaded,
    draft,
    get present() {
      return present
    },
    get signingIn() {
      return signingIn
    },
    get isDestroyed() {
      return isDestroyed
    },
    get entries() {
      const record = isDestroyed ? undefined : present?.record
      if (record === undefined) return {}
      return signingIn === undefined ? record.keys : keptKeys(record, signingIn)
    },
    get isDirty() {
      return isDirty()
    },
    get isSettled() {
      return !isDirty() && !isRenewalDue
    },
    get hasFailed() {
      return hasFailed
    },
    get isTouched() {
      return isTouched
    },
    touch() {
      isTouched = true
    },
    signIn(wanted) {
      signingIn = wanted
    },
    destroy() {
      draft.clear()
      signingIn = undefined
      isDestroyed = true
    },
    save() {
      const saved = saving.then(store, store)
      saving = saved.catch(() => undefined)
      return saved
    },
    revert() {
      draft.clear()
      signingIn = undefined
      isDestroyed = false
      hasFailed = false
    },
    headers: () => headersOf(core, request, { present, fate: isDirty() ? 'keep' : fate }),
  }
}

function headersOf(
  core: Core,
  request: CoreRequest,
  { present, fate }: { readonly present: Present | undefined; readonly fate: CookieFate },
): Header[] {
  const revision = present === undefined ? 'none' : `${present.record.epoch}.${present.record.revision}`
  const result: Header[] = [[headers.revision, revision]]
  if (fate === 'clear') result.push(['set-cookie', core.jar.line(request, '')])
  if (fate === 'set' && present !== undefined) result.push(...cookieHeaders(core, request, present))
  return result
}

function checkSize(record: SessionRecord): SessionRecord {
  if (!fits(record)) throw new SessionError('too-large')
  return record
}
