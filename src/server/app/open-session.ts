// One request's session from load to answer: what is saved, in which order, and which cookie the answer sets.
// The cookie is decided only after everything is stored.
import { SessionError } from '../../protocol/errors.ts'
import { headers } from '../../protocol/names.ts'
import type { Entries } from '../../protocol/state.ts'
import { keptKeys } from '../changes/change.ts'
import type { Core } from '../core/core.ts'
import { type Draft, createDraft } from '../changes/draft.ts'
import { type LiveSession, type Loaded, type Loading, judge } from '../lifecycle/load.ts'
import { guard } from '../core/guard.ts'
import { locate } from '../lifecycle/locate.ts'
import type { Moved } from '../lifecycle/relocate.ts'
import { cookieHeaders, wantsRenewal } from '../lifecycle/renew.ts'
import type { CoreRequest } from '../http/request.ts'
import type { Header } from '../http/respond.ts'
import { renewed } from '../lifecycle/rotate.ts'
import type { Saved } from './session.ts'
import { type Move, type Present, storeChanges, storeEnd, storeMove } from '../lifecycle/save.ts'

export interface OpenSession {
  readonly core: Core
  readonly loaded: Loaded
  readonly draft: Draft
  readonly present: Present | undefined
  readonly moving: Move | undefined
  readonly isDestroyed: boolean
  /** What reads see below the draft. */
  readonly entries: Entries
  readonly isDirty: boolean
  /** False while `finish` has something to do before the answer may go: changes, or a renewed cookie. */
  readonly isSettled: boolean
  /** A `save` failed and its changes are still here: only the app may try again. */
  readonly hasFailed: boolean
  /** Whether the app has looked at the session or changed it: its answer depends on the cookie then. */
  readonly isTouched: boolean
  /** Storing the changes gives the session a cookie that the browser does not have. */
  readonly needsCookie: boolean
  touch(): void
  /** The app changes something: what a failed save left is to be tried again with it. */
  change(): void
  /** @throws SessionError `invalid-option` for a session that no browser holds */
  move(move: Move): void
  destroy(isEverywhere: boolean): void
  save(): Promise<Saved>
  /** What adapters do before the answer: `save`, unless the app wants to do that itself, and the cookie. */
  finish(): Promise<void>
  revert(): void
  /** Session-Revision, and the cookie if it is set or cleared. */
  headers(): Header[]
}

export interface Opening {
  readonly loaded: Loaded
  /** Undefined when the session was asked for by its id: no answer of this request can carry its cookie. */
  readonly request: CoreRequest | undefined
  readonly present: Present | undefined
}

/** `keep`: it is set again only where it carries a session that has changed. */
type CookieFate = 'keep' | 'set' | 'clear'

export function openSession(tools: Loading, opening: Opening): OpenSession {
  const { core } = tools
  const { loaded, request } = opening
  const draft = createDraft(core.schema)
  let { present } = opening
  let moving: Move | undefined
  let ending: 'here' | 'everywhere' | undefined
  let hasFailed = false
  let isTouched = false
  let isProven = false
  let fate: CookieFate = 'keep'
  let isRenewalDue = loaded.state === 'live' && wantsRenewal(core, loaded)
  let saving: Promise<unknown> = Promise.resolve()

  const isDirty = (): boolean => ending !== undefined || moving !== undefined || !draft.isEmpty

  async function store(): Promise<Saved> {
    let changed: readonly string[] = []
    try {
      if (isDirty() && request !== undefined && core.guardChanges) guard(core, request)
      if (ending !== undefined) await end(ending === 'everywhere')
      if (isDirty()) changed = await storeDraft()
      await renew()
      hasFailed = false
    } catch (error) {
      hasFailed = isDirty()
      if (error instanceof SessionError) core.watch.tell('refuse', { code: error.code })
      throw error
    }
    return { epoch: present?.record.epoch ?? null, revision: present?.record.revision ?? 0, changed }
  }

  async function end(isEverywhere: boolean): Promise<void> {
    const place = present?.place ?? (loaded.state === 'dead' ? loaded.place : undefined)
    if (place !== undefined) {
      await storeEnd(tools, { place, owner: present?.record.owner ?? null, isEverywhere })
    }
    present = undefined
    ending = undefined
    fate = loaded.state === 'none' ? 'keep' : 'clear'
  }

  async function storeDraft(): Promise<readonly string[]> {
    const changes = draft.take()
    const move = moving
    const before = present
    if (move === undefined && isMistaken()) throw new SessionError('epoch-mismatch')
    const stored =
      move === undefined
        ? await storeChanges(tools, present, changes)
        : await storeMove(tools, present, { move, changes })
    present = stored.present
    if (move !== undefined || (before === undefined && present !== undefined)) fate = 'set'
    isProven = stored.changed.length > 0
    if (moving === move) moving = undefined
    changes.done()
    return stored.changed
  }

  /** The page that sent this believes in a session that is gone: its change is not the beginning of another one. */
  function isMistaken(): boolean {
    return loaded.state !== 'live' && present === undefined && request?.header(headers.epoch) !== undefined
  }

  /** A slow answer must not bring back the cookie of a session that was replaced while it ran. */
  async function renew(): Promise<void> {
    const isDue = isRenewalDue
    // Tried once: what has a new cookie needs no renewed one, and what failed is left for the next request.
    isRenewalDue = false
    if (!isDue || loaded.state !== 'live' || fate !== 'keep' || present === undefined) return
    // What this request has just committed is the session as it is; anything else may have been replaced since.
    const found = isProven ? present : await lookAgain(loaded)
    const next = found && (await renewed(tools, loaded, found))
    if (next === undefined) return
    present = { ...next, token: undefined }
    fate = 'set'
  }

  /** What is stored is stored: a store that fails now only costs the new cookie. */
  async function lookAgain({ cookie, place, places }: LiveSession): Promise<Moved | undefined> {
    try {
      const found = await locate(core, places[0] ?? place)
      return found.state === 'live' && judge(core, cookie, found) === undefined ? found : undefined
    } catch (error) {
      if (error instanceof SessionError) return undefined
      throw error
    }
  }

  function inTurn<T>(run: () => Promise<T>): Promise<T> {
    const saved = saving.then(run, run)
    saving = saved.catch(() => undefined)
    return saved
  }

  return {
    core,
    loaded,
    draft,
    get present() {
      return present
    },
    get moving() {
      return moving
    },
    get isDestroyed() {
      return ending !== undefined
    },
    get entries() {
      const record = ending === undefined ? present?.record : undefined
      if (record === undefined) return {}
      return moving?.kind === 'sign-in' ? keptKeys(record, moving.signIn) : record.keys
    },
    get isDirty() {
      return isDirty()
    },
    get isSettled() {
      return !isRenewalDue && !(core.autoSave && isDirty())
    },
    get hasFailed() {
      return hasFailed
    },
    get isTouched() {
      return isTouched
    },
    get needsCookie() {
      const isNew = present === undefined || ending !== undefined || core.carried !== undefined
      return moving !== undefined || (!draft.isEmpty && isNew)
    },
    touch() {
      isTouched = true
    },
    change() {
      hasFailed = false
    },
    move(wanted) {
      if (request === undefined)
        throw new SessionError(
          'invalid-option',
          'Only the browser that holds a session can get a new id for it.',
        )
      moving = wanted
    },
    destroy(isEverywhere) {
      draft.clear()
      moving = undefined
      ending = isEverywhere ? 'everywhere' : 'here'
    },
    save: () => inTurn(store),
    async finish() {
      await inTurn<unknown>(core.autoSave ? store : renew)
    },
    revert() {
      draft.clear()
      moving = undefined
      ending = undefined
      hasFailed = false
    },
    headers: () =>
      request === undefined ? [] : headersOf(core, request, { present, fate: hasFailed ? 'keep' : fate }),
  }
}

function headersOf(
  core: Core,
  request: CoreRequest,
  { present, fate }: { readonly present: Present | undefined; readonly fate: CookieFate },
): Header[] {
  const revision = present === undefined ? 'none' : `${present.record.epoch}.${present.record.revision}`
  const result: Header[] = [[headers.revision, revision]]
  if (fate === 'clear') result.push(['set-cookie', core.jar.clearing(request)])
  const isSet = fate === 'set' || (fate === 'keep' && core.carried?.isChanged === true)
  if (isSet && present !== undefined) result.push(...cookieHeaders(core, request, present))
  return result
}
