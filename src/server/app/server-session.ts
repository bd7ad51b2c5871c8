// Builds the `ServerSession` that an app sees from what one request has open.
import { SessionError } from '../../protocol/errors.ts'
import * as limits from '../../protocol/limits.ts'
import { type ServerKey, type SessionSchema, definitionOf } from '../../protocol/schema.ts'
import { now } from '../core/core.ts'
import { createData } from './session-data.ts'
import type { OpenSession } from './open-session.ts'
import type { SessionRecord } from '../codec/record.ts'
import type { ServerSession, SessionData, SignInOptions } from './session.ts'

/** Leads from an app's session to what is open below it. A WeakMap would double what garbage collection costs. */
const opening: unique symbol = Symbol('open')

/** What `createServerSession` gives: to the app a `ServerSession`, and to the adapters its state. */
type Opened<S extends SessionSchema> = ServerSession<S> & {
  // A function, so that a session that is logged does not show its id.
  readonly [opening]: () => OpenSession
}

/** @throws SessionError `invalid-option` for what `load` did not give */
export function openedBy<S extends SessionSchema>(session: ServerSession<S>): OpenSession {
  const open = (session as Partial<Opened<S>>)[opening] // Looked for, and refused when it is not there.
  if (open === undefined) throw new SessionError('invalid-option', 'This session was not loaded here.')
  return open()
}

export function createServerSession<S extends SessionSchema>(open: OpenSession): Opened<S> {
  const { draft } = open

  function touched<T>(read: () => T): T {
    open.touch()
    return read()
  }
  function changed<T>(change: () => T): T {
    open.touch()
    const result = change()
    open.change()
    return result
  }
  const record = (): SessionRecord | undefined => (open.isDestroyed ? undefined : open.present?.record)
  const signingIn = (): { owner: string; label: string | null } | undefined =>
    open.moving?.kind === 'sign-in' ? open.moving.signIn : undefined
  // Made when it is first asked for: most requests never do.
  let data: SessionData<S> | undefined
  const destroy = (isEverywhere: boolean): void => changed(() => open.destroy(isEverywhere))

  return {
    [opening]: () => open,
    get owner() {
      return touched(() => signingIn()?.owner ?? record()?.owner ?? null)
    },
    get isNew() {
      return touched(() => record() === undefined)
    },
    get missing() {
      return touched(() =>
        open.loaded.state === 'dead' && open.present === undefined ? open.loaded.reason : undefined,
      )
    },
    get epoch() {
      return touched(() => (open.isDestroyed ? null : (open.present?.record.epoch ?? null)))
    },
    get revision() {
      return touched(() => record()?.revision ?? 0)
    },
    get created() {
      return touched(() => toDate(record()?.created))
    },
    get lastAccessed() {
      return touched(() => (open.loaded.state === 'live' ? toDate(open.loaded.cookie.issued) : null))
    },
    get signedInAt() {
      return touched(() => toDate(signingIn() === undefined ? record()?.signedIn : now(open.core)))
    },
    get label() {
      return touched(() => signingIn()?.label ?? record()?.label ?? null)
    },
    signedInWithin(seconds) {
      return touched(() => {
        if (signingIn() !== undefined) return true
        const signedIn = record()?.signedIn ?? null
        return signedIn !== null && now(open.core) - signedIn < seconds
      })
    },
    get data() {
      data ??= createData<S>(open)
      return data
    },
    toJSON: () =>
      touched(() => {
        const names = draft.keys(open.entries).filter((name) => isVisible(open, name))
        return Object.fromEntries(names.map((name) => [name, draft.read(open.entries, name)]))
      }),
    keys: () => touched(() => draft.keys(open.entries)),
    has: (key) => touched(() => draft.has(open.entries, key)),
    get: <K extends ServerKey<S>>(key: K) => touched(() => draft.read(open.entries, key)) as never, // Checked when it was set.
    set: (key, value) => changed(() => draft.set(key, value)),
    delete(...keys: readonly ServerKey<S>[]) {
      const [key] = keys
      // Without any argument, not with an undefined one: that is a mistake, and must not sign anybody out.
      if (keys.length === 0) destroy(false)
      else changed(() => draft.delete(String(key)))
    },
    update: (key, change) =>
      changed(() => draft.update(open.entries, key, change as (value: unknown) => unknown)), // The schema's own type.
    increment: (key, by = 1) => changed(() => draft.increment(key, by)),
    signIn: (owner, options = {}) => changed(() => signIn(open, owner, options)),
    regenerate: () =>
      changed(() => {
        if (record() !== undefined && open.moving === undefined) open.move({ kind: 'regenerate' })
      }),
    destroy: ({ everywhere = false } = {}) => destroy(everywhere),
    invalidate: () => destroy(false),
    save: () => touched(() => open.save()),
    revert: () => touched(() => open.revert()),
  }
}

const ownerText = new RegExp(`^.{1,${limits.ownerCharacters}}$`, 'su')

function signIn(open: OpenSession, owner: string, options: SignInOptions): void {
  const { carry = [], label = null, persistent } = options
  // Half a character would be stored as U+FFFD, as any other half is: two owners would be one.
  if (typeof owner !== 'string' || !ownerText.test(owner) || /\p{Surrogate}/u.test(owner)) {
    throw new SessionError(
      'invalid-option',
      `The owner is a text of 1 to ${limits.ownerCharacters} characters.`,
    )
  }
  if (label !== null && (typeof label !== 'string' || label.length > limits.labelCharacters)) {
    throw new SessionError(
      'invalid-option',
      `A label is a text of up to ${limits.labelCharacters} characters.`,
    )
  }
  const unknown = carry.find((key) => definitionOf(open.core.schema, key) === undefined)
  if (unknown !== undefined) throw new SessionError('unknown-key', `The schema has no key "${unknown}".`)
  open.move({ kind: 'sign-in', signIn: { owner, carry, label, persistent } })
}

function isVisible({ core }: OpenSession, name: string): boolean {
  return definitionOf(core.schema, name)?.access !== 'hidden'
}

function toDate(seconds: number | null | undefined): Date | null {
  return seconds === null || seconds === undefined ? null : new Date(seconds * 1000)
}
