// The session that an app holds: reads and wishes, on top of what one request has open.
import { checkOptions } from '../../protocol/check-options.ts'
import * as limits from '../../protocol/limits.ts'
import {
  type CounterKey,
  type KeyRead,
  type KeyValue,
  type ServerKey,
  type SessionSchema,
  definitionOf,
} from '../../protocol/schema.ts'
import type { Epoch } from '../../protocol/state.ts'
import type { SignIn } from '../changes/change.ts'
import { unknownKey } from '../changes/draft.ts'
import { now } from '../core/core.ts'
import { invalidOption } from '../core/refusal.ts'
import type { DeadReason } from '../lifecycle/loaded.ts'
import { embeddedElement } from '../changes/embedded-element.ts'
import { refuseAssignments, refuseCallback } from './assignments.ts'
import { destroyOptions, signInOptions } from './known-options.ts'
import type { OpenSession } from './open-session.ts'
import type { DestroyOptions, Saved, ServerSession, SessionData, SignInOptions } from './server-session.ts'
import { createData } from './session-data.ts'

/**
 * Made for each request. What it holds is private, so that a session that is logged shows neither its id nor its data.
 */
export class AppSession<S extends SessionSchema> implements ServerSession<S> {
  readonly #open: OpenSession
  /** Made when it is first asked for: most requests never do. */
  #data: SessionData<S> | undefined = undefined

  static {
    refuseAssignments(this.prototype, (session) => AppSession.openOf(session).core.schema)
  }

  constructor(open: OpenSession) {
    this.#open = open
    Object.preventExtensions(this)
  }

  /**
   * What is open below an app's session.
   * @throws SessionError `invalid-option` for what `load` did not give
   */
  static openOf(session: object): OpenSession {
    if (#open in session) return session.#open
    throw invalidOption(
      'This is not a session of these sessions: pass what `load`, `route` or `getById` gave, not a copy of it.',
    )
  }

  get owner(): string | null {
    const { record } = this.#touched()
    return this.#signingIn?.owner ?? record?.owner ?? null
  }

  get isNew(): boolean {
    return this.#touched().record === undefined
  }

  get missing(): DeadReason | undefined {
    const { loaded, isStored } = this.#touched()
    return loaded.state === 'dead' && !isStored ? loaded.reason : undefined
  }

  get epoch(): Epoch | null {
    return this.#touched().record?.epoch ?? null
  }

  get revision(): number {
    return this.#touched().record?.revision ?? 0
  }

  get created(): Date | null {
    return toDate(this.#touched().record?.created)
  }

  get lastAccessed(): Date | null {
    const { loaded } = this.#touched()
    return loaded.state === 'live' ? toDate(loaded.cookie.issued) : null
  }

  get signedInAt(): Date | null {
    const { record, core } = this.#touched()
    return toDate(this.#signingIn === undefined ? record?.signedIn : now(core))
  }

  get label(): string | null {
    const { record } = this.#touched()
    return this.#signingIn?.label ?? record?.label ?? null
  }

  signedInWithin(seconds: number): boolean {
    const { record, core } = this.#touched()
    if (this.#signingIn !== undefined) return true
    const signedIn = record?.signedIn ?? null
    return signedIn !== null && now(core) - signedIn < seconds
  }

  get isStale(): boolean {
    const { loaded } = this.#touched()
    return loaded.state === 'live' && loaded.isStale
  }

  get data(): SessionData<S> {
    this.#data ??= createData<S>(this, this.#open.core.schema)
    return this.#data
  }

  toJSON(): unknown {
    const { core, draft, entries } = this.#touched()
    const visible = draft.keys(entries).filter((name) => definitionOf(core.schema, name)?.access !== 'hidden')
    return Object.fromEntries(visible.map((name) => [name, draft.read(entries, name)]))
  }

  keys(): string[] {
    const { draft, entries } = this.#touched()
    return draft.keys(entries)
  }

  has(key: ServerKey<S>): boolean {
    const { draft, entries } = this.#touched()
    return draft.has(entries, key)
  }

  get<K extends ServerKey<S>>(key: K): KeyRead<S, K> {
    const { draft, entries } = this.#touched()
    return draft.read(entries, key) as KeyRead<S, K> // Checked against the schema when it was set.
  }

  set<K extends ServerKey<S>>(key: K, value: KeyValue<S, K>): void {
    const open = this.#touched()
    open.draft.set(key, value)
    open.change()
  }

  delete(...keys: readonly ServerKey<S>[]): void {
    // Without any argument, not with an undefined one: that is a mistake, and must not sign anybody out.
    if (keys.length === 0) {
      this.destroy()
      return
    }
    const open = this.#touched()
    open.draft.delete(String(keys[0]))
    open.change()
  }

  update<K extends ServerKey<S>>(key: K, change: (value: KeyRead<S, K>) => KeyValue<S, K> | undefined): void {
    const open = this.#touched()
    open.draft.update(open.entries, key, change as (value: unknown) => unknown) // The schema's own type.
    open.change()
  }

  increment(key: CounterKey<S>, by = 1): void {
    const open = this.#touched()
    open.draft.increment(key, by)
    open.change()
  }

  signIn(owner: string, options: SignInOptions = {}): void {
    const open = this.#touched()
    open.move({ kind: 'sign-in', signIn: toSignIn(open.core.schema, owner, options) })
    open.change()
  }

  allowCrossSite(): void {
    this.#open.allowCrossSite()
  }

  regenerate(callback?: unknown): void {
    refuseCallback('regenerate', callback)
    const open = this.#touched()
    if (open.record !== undefined && open.draft.move === undefined) open.move({ kind: 'regenerate' })
    open.change()
  }

  destroy(options?: DestroyOptions): void {
    if (typeof options === 'function') refuseCallback('destroy', options)
    if (options !== undefined) checkOptions('session.destroy', options, destroyOptions)
    const open = this.#touched()
    open.draft.end(options?.everywhere === true ? 'everywhere' : 'here')
    open.change()
  }

  invalidate(callback?: unknown): void {
    refuseCallback('invalidate', callback)
    this.destroy()
  }

  save(callback?: unknown): Promise<Saved> {
    if (callback !== undefined) refuseCallback('save', callback)
    return this.#touched().save()
  }

  revert(callback?: unknown): void {
    refuseCallback('revert', callback)
    this.#touched().revert()
  }

  /** The sign-in that the request wants and has not stored yet. */
  get #signingIn(): SignIn | undefined {
    const { move } = this.#open.draft
    return move?.kind === 'sign-in' ? move.signIn : undefined
  }

  #touched(): OpenSession {
    this.#open.touch()
    return this.#open
  }
}

/** @throws SessionError `invalid-option`, `unknown-key` */
function toSignIn(schema: SessionSchema, owner: unknown, options: SignInOptions): SignIn {
  checkOptions('session.signIn', options, signInOptions)
  const { carry = [], label = null, persistent } = options
  const unknown = carry.find((key) => definitionOf(schema, key) === undefined)
  if (unknown !== undefined) throw unknownKey(unknown)
  return { owner: toOwner(owner), carry, label: toLabel(label), persistent }
}

const ownerText = new RegExp(`^.{1,${limits.ownerCharacters}}$`, 'su')

function toOwner(owner: unknown): string {
  // Half a character would be stored as U+FFFD, as any other half is: two owners would be one.
  if (typeof owner === 'string' && ownerText.test(owner) && !/\p{Surrogate}/u.test(owner)) return owner
  throw invalidOption(
    `signIn takes the owner as a text of 1 to ${limits.ownerCharacters} characters, not ${described(owner)}.`,
  )
}

function toLabel(label: unknown): string | null {
  if (label === null) return null
  if (typeof label === 'string' && label.length <= limits.labelCharacters) return label
  throw invalidOption(
    `signIn takes a label of up to ${limits.labelCharacters} characters, not ${described(label)}.`,
  )
}

function described(value: unknown): string {
  return typeof value === 'string' ? `one of ${value.length} characters` : `a value of type ${typeof value}`
}

function toDate(seconds: number | null | undefined): Date | null {
  return seconds === null || seconds === undefined ? null : new Date(seconds * 1000)
}

/**
 * The session of a request, as an element for the page that answers it: `createSession` in that page shows it at once, and does not ask
 * the server first. Put it anywhere before the end of the body, as it is: it is escaped. It is a data block, so it needs no nonce.
 * Hidden keys are never in it. It is true for one minute; the answer is kept out of caches, as every answer that reads a session.
 * @throws SessionError `invalid-option` for a session with changes that are not saved, and for one that is not the request's own
 * (`getById`, `watch`)
 * @example
 * const session = await sessions.load(request)
 * const html = `<!doctype html><div id="app">…</div>${embed(session)}<script type="module" src="/app.js"></script>`
 */
export function embed<S extends SessionSchema>(session: ServerSession<S>): string {
  const open = AppSession.openOf(session)
  open.touch()
  if (!open.draft.isEmpty)
    throw invalidOption(
      'This session has changes that are not stored yet. Await session.save() before embed.',
    )
  if (!open.isRequests)
    throw invalidOption(
      'This session is not that of the browser which will get the page. Embed what load or read gave.',
    )
  return embeddedElement(open.core, open)
}
