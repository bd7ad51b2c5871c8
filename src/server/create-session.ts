// Builds the `ServerSession` that an app sees from what one request has open.
import { SessionError } from '../protocol/errors.ts'
import { type ServerKey, type SessionSchema, definitionOf } from '../protocol/schema.ts'
import type { OpenSession } from './open.ts'
import type { ServerSession, SignInOptions } from './session.ts'

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
  const record = (): { owner: string | null; revision: number } | undefined =>
    open.isDestroyed ? undefined : open.present?.record

  return {
    [opening]: () => open,
    get owner() {
      return touched(() => open.signingIn?.owner ?? record()?.owner ?? null)
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
    keys: () => touched(() => draft.keys(open.entries)),
    has: (key) => touched(() => draft.has(open.entries, key)),
    get: <K extends ServerKey<S>>(key: K) => touched(() => draft.read(open.entries, key)) as never, // Checked when it was set.
    set: (key, value) => touched(() => draft.set(key, value)),
    delete: (key) => touched(() => draft.delete(key)),
    update: (key, change) =>
      touched(() => draft.update(open.entries, key, change as (value: unknown) => unknown)), // The schema's own type.
    increment: (key, by = 1) => touched(() => draft.increment(key, by)),
    signIn: (owner, options = {}) => touched(() => signIn(open, owner, options)),
    destroy: () => touched(() => open.destroy()),
    save: () => touched(() => open.save()),
    revert: () => touched(() => open.revert()),
  }
}

function signIn(open: OpenSession, owner: string, { carry = [] }: SignInOptions): void {
  if (typeof owner !== 'string' || owner.length === 0 || owner.length > 256) {
    throw new SessionError('invalid-option', 'The owner is a text of 1 to 256 characters.')
  }
  const unknown = carry.find((key) => definitionOf(open.core.schema, key) === undefined)
  if (unknown !== undefined) throw new SessionError('unknown-key', `The schema has no key "${unknown}".`)
  open.signIn({ owner, carry })
}
