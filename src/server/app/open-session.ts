// One request's session from load to answer: what is saved, in which order, and what the answer's headers say. The
// cookie is decided only after everything is stored.
import { SessionError } from '../../protocol/errors.ts'
import { headers } from '../../protocol/names.ts'
import type { Entries } from '../../protocol/state.ts'
import { keptKeys } from '../changes/change.ts'
import { Draft } from '../changes/draft.ts'
import type { Move, Plan } from '../changes/plan.ts'
import type { Placed, SessionRecord } from '../codec/record.ts'
import { type CookieFate, cookieFate, cookieHeaders } from '../core/cookie-fate.ts'
import { type Core, tellRefusal } from '../core/core.ts'
import { checkEpoch, guard, guardIdentity, isSpeculative } from '../core/guard.ts'
import { invalidOption, refusal } from '../core/refusal.ts'
import type { SessionProgress } from '../http/progress.ts'
import type { CoreRequest } from '../http/request.ts'
import type { Header } from '../http/core-answer.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import { type DeadSession, type LiveSession, type Loaded, judge } from '../lifecycle/loaded.ts'
import { locate } from '../lifecycle/locate.ts'
import { endRivals, performChanges, performEnd, performMove } from '../lifecycle/perform.ts'
import { renew, wantsRenewal } from '../lifecycle/rotate.ts'
import type { Saved } from './server-session.ts'

/** What a session is opened from. */
export interface SessionOrigin {
  readonly loaded: Loaded
  /** Undefined when the session was asked for by its id: no answer of this request can carry its cookie. */
  readonly request: CoreRequest | undefined
  /** Where the session is; undefined: there is none. */
  readonly present: Placed | undefined
  /** Whether it is only to be looked at. @default false */
  readonly isReadOnly?: boolean
}

const noEntries: Entries = {}

export class OpenSession implements SessionProgress {
  readonly #lifecycle: Lifecycle
  readonly #request: CoreRequest | undefined
  readonly #loaded: Loaded
  readonly #draft: Draft
  #present: Placed | undefined
  #isTouched = false
  #hasFailed = false
  /** The request ended the session that its cookie named. */
  #isEnded = false
  #isRenewalDue: boolean
  #isRenewed = false
  #hasEndedRivals = false
  /** The last save wrote the record, so the session was alive a moment ago. */
  #isProven = false
  #saving: Promise<unknown> | undefined = undefined
  /** Saves that run or wait. */
  #saves = 0
  /** The head of the answer is gone: no cookie can be set or cleared any more. */
  #hasBegun = false
  #isCrossSiteAllowed = false
  readonly #isReadOnly: boolean

  constructor(lifecycle: Lifecycle, { loaded, request, present, isReadOnly = false }: SessionOrigin) {
    this.#isReadOnly = isReadOnly
    this.#lifecycle = lifecycle
    this.#request = request
    this.#loaded = loaded
    this.#present = present
    this.#draft = new Draft(lifecycle.core.schema)
    this.#isRenewalDue = !isReadOnly && loaded.state === 'live' && wantsRenewal(lifecycle.core, loaded)
  }

  get core(): Core {
    return this.#lifecycle.core
  }

  get lifecycle(): Lifecycle {
    return this.#lifecycle
  }

  /** The session as this request knows that it is stored; undefined: there is none. */
  get present(): Placed | undefined {
    return this.#present
  }

  get loaded(): Loaded {
    return this.#loaded
  }

  get draft(): Draft {
    return this.#draft
  }

  /** The record as it is stored; undefined when there is none, or the session is to end. */
  get record(): SessionRecord | undefined {
    return this.#draft.isEnding ? undefined : this.#present?.record
  }

  /** Whether anything is stored, also when it is to end. */
  get isStored(): boolean {
    return this.#present !== undefined
  }

  /** What reads see below the draft. */
  get entries(): Entries {
    const { record } = this
    const { move } = this.#draft
    if (record === undefined) return noEntries
    return move?.kind === 'sign-in' ? keptKeys(record, move.signIn) : record.keys
  }

  /**
   * Until when the cookie is fresh that the browser has after this answer, in seconds since 1970; undefined for a new one. Should
   * renewing it fail, the browser finds out by a 401, and refreshes.
   */
  get freshUntil(): number | undefined {
    const loaded = this.#loaded
    return loaded.state === 'live' && !this.#isRenewed && !this.#isRenewalDue
      ? loaded.cookie.expires
      : undefined
  }

  /** Whether the browser that gets the answer to the request holds this session. */
  get isRequests(): boolean {
    return this.#request !== undefined || this.#loaded.state === 'live' || this.#present === undefined
  }

  get isSettled(): boolean {
    // A save that the app did not wait for may need a cookie.
    return !this.#isRenewalDue && !this.isDirty && this.#saves === 0
  }

  get isDirty(): boolean {
    return this.core.autoSave && !this.#draft.isEmpty
  }

  get hasFailed(): boolean {
    return this.#hasFailed
  }

  get isRead(): boolean {
    return this.#isTouched || this.#loaded.state !== 'none'
  }

  get isTouched(): boolean {
    return this.#isTouched
  }

  /** Whether there are changes that nothing has stored, or will store: they came after the head was sent. */
  get hasLateChanges(): boolean {
    return this.#hasBegun && this.isDirty && !this.#hasFailed && this.#saves === 0
  }

  get needsCookie(): boolean {
    if (this.#draft.isEnding && this.#endsByCookie) return true
    const isNew = this.record === undefined || this.core.carried !== undefined
    return this.#draft.move !== undefined || (this.#draft.hasChanges && isNew)
  }

  /** Whether nothing but a cleared cookie ends this session: it is kept there alone. */
  get #endsByCookie(): boolean {
    const { carried, carriedStore } = this.core
    const isCarried = carried !== undefined && this.#present !== undefined
    return isCarried && carriedStore?.guarantees.revocation === 'none'
  }

  get vary(): string {
    return this.core.allowedOrigins.length === 0 ? 'Cookie' : 'Cookie, Origin'
  }

  /** The app looks at the session: its answer depends on the cookie then. */
  touch(): void {
    this.#isTouched = true
  }

  /**
   * The app changes something: what a failed save left is to be tried again with it.
   * @throws SessionError `invalid-option` for a session that is only to be looked at
   */
  change(): void {
    if (this.#isReadOnly) {
      this.#draft.clear()
      throw invalidOption(
        'This session came from sessions.read, and can only be looked at. Use sessions.load where it is to be changed.',
      )
    }
    this.#hasFailed = false
  }

  /** The route is one to which another site is meant to lead: the guard does not stand before its changes. */
  allowCrossSite(): void {
    this.#isCrossSiteAllowed = true
  }

  /** @throws SessionError `invalid-option` for a session that no browser of this request holds */
  move(move: Move): void {
    if (this.#request === undefined)
      throw invalidOption(
        'A session from getById cannot sign in or regenerate: only the browser that holds it can get a new id for it.',
      )
    this.#draft.moveTo(move)
  }

  /** Stores what is wanted, in turn with other saves of this request. @throws SessionError as `ServerSession.save` */
  save(): Promise<Saved> {
    return this.#inTurn(() => this.#store())
  }

  async finish(): Promise<void> {
    await this.#inTurn<unknown>(() => (this.core.autoSave ? this.#store() : this.#renew()))
  }

  /** Drops what is wanted and not stored. */
  revert(): void {
    this.#draft.clear()
    this.#hasFailed = false
  }

  beginAnswer(): void {
    this.#hasBegun = true
  }

  headers(): Header[] {
    if (this.#request === undefined) return []
    const placed = this.#present
    const revision = placed === undefined ? 'none' : `${placed.record.epoch}.${placed.record.revision}`
    const cookie = cookieHeaders(this.core, this.#request, { fate: this.#cookieFate(), placed })
    return [[headers.revision, revision], ...cookie]
  }

  #cookieFate(): CookieFate {
    return cookieFate(this.#loaded, this.#present, {
      isEnded: this.#isEnded,
      isRenewed: this.#isRenewed,
      hasFailed: this.#hasFailed,
      isCarriedChanged: this.core.carried?.isChanged === true,
    })
  }

  async #store(): Promise<Saved> {
    let changed: readonly string[] = []
    try {
      if (this.#hasBegun && !this.#draft.isEmpty && this.needsCookie) throw refusal('answer-begun')
      if (!this.#draft.isEmpty && this.#request !== undefined) this.#checkOrigin(this.#request)
      if (!this.#draft.isEmpty) changed = await this.#perform(this.#draft.plan())
      await this.#renew()
      this.#hasFailed = false
    } catch (error) {
      this.#hasFailed = !this.#draft.isEmpty
      if (error instanceof SessionError) tellRefusal(this.core, error)
      throw error
    }
    const record = this.#present?.record
    return { epoch: record?.epoch ?? null, revision: record?.revision ?? 0, changed }
  }

  /** @throws SessionError `speculative`, `cross-site` */
  #checkOrigin(request: CoreRequest): void {
    if (isSpeculative(request)) throw refusal('speculative', { retryAfterSeconds: 1 })
    if (!this.core.guardChanges || this.#isCrossSiteAllowed) return
    guard(this.core, request)
    if (this.#draft.isEnding || this.#draft.move?.kind === 'sign-in') guardIdentity(request)
  }

  /** Carries the plan out, and says which keys it changed. What was carried out is not wanted any more. */
  async #perform(plan: Plan): Promise<readonly string[]> {
    if (plan.end !== undefined) {
      await this.#performEnd(plan.end)
      // What was wanted, or taken back, meanwhile counts.
      return this.#perform(this.#draft.plan())
    }
    const { move, changes } = plan
    if (move === undefined && changes.isEmpty) return []
    if (move === undefined) this.#checkMeant()
    // Before the sign-in is stored: should that fail, the browser is signed out, and not where it was.
    await this.#endRivals('here')
    const { present, changed } =
      move === undefined
        ? await performChanges(this.#lifecycle, this.#present, { changes, request: this.#request })
        : await performMove(this.#lifecycle, this.#present, { move, changes })
    this.#present = present
    this.#isProven = changed.length > 0
    this.#draft.settle(plan)
    return changed
  }

  async #performEnd(scope: NonNullable<Plan['end']>): Promise<void> {
    const loaded = this.#loaded
    // Ending a session that is gone makes sure that it stays so.
    const place = this.#present?.place ?? (loaded.state === 'dead' ? loaded.place : undefined)
    const owner = this.#present?.record.owner ?? null
    if (place !== undefined) await performEnd(this.#lifecycle, { place, owner }, scope)
    await this.#endRivals(scope)
    this.#present = undefined
    this.#isEnded = true
    this.#draft.settleEnd()
  }

  /** The sessions that the request's cookies name, where nobody can tell which is meant and none was ended yet. */
  get #rivals(): DeadSession | undefined {
    const loaded = this.#loaded
    return loaded.state === 'dead' && loaded.rivals !== undefined && !this.#hasEndedRivals
      ? loaded
      : undefined
  }

  async #endRivals(scope: NonNullable<Plan['end']>): Promise<void> {
    const rivals = this.#rivals
    if (rivals === undefined) return
    await endRivals(this.#lifecycle, rivals, scope)
    this.#hasEndedRivals = true
  }

  /** The page that sent this may believe in a session that is gone: its change must not begin another one. */
  #checkMeant(): void {
    if (this.#loaded.state === 'live' || this.#present !== undefined || this.#request === undefined) return
    if (this.#rivals !== undefined) throw refusal('ambiguous-cookie')
    checkEpoch(this.#request, null)
  }

  /** A slow answer must not bring back the cookie of a session that was replaced while it ran. */
  async #renew(): Promise<void> {
    const isDue = this.#isRenewalDue
    // Tried once: what has a new cookie needs no renewed one, and what failed is left for the next request.
    this.#isRenewalDue = false
    // Nor may one whose head is gone: the browser would never hear of the new id.
    if (this.#hasBegun) return
    const loaded = this.#loaded
    const present = this.#present
    if (!isDue || loaded.state !== 'live' || present?.record.epoch !== loaded.record.epoch) return
    // What this request has just committed is the session as it is; anything else may have been replaced since.
    const found = this.#isProven ? present : await this.#lookAgain(loaded)
    const next = found && (await renew(this.#lifecycle, loaded, found))
    if (next === undefined) return
    this.#present = { place: next.place, record: next.record }
    this.#isRenewed = true
  }

  /** What is stored is stored: a store that fails now only costs the new cookie. */
  async #lookAgain({ cookie, places }: LiveSession): Promise<Placed | undefined> {
    try {
      const found = await locate(this.core, places[0])
      return found.state === 'live' && judge(this.core, cookie, found) === undefined ? found : undefined
    } catch (error) {
      if (error instanceof SessionError) return undefined
      throw error
    }
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const saved = this.#saving === undefined ? run() : this.#saving.then(run, run)
    const leave = (): void => void this.#saves--
    this.#saves++
    this.#saving = saved.then(leave, leave)
    return saved
  }
}
