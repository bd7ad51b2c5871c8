// `request.session`: shows the session of a request, and refuses to be assigned to, because nothing would be stored or
// ended by that. A framework that needs the name for itself defines the property anew.
import { described } from '../../protocol/check-options.ts'
import { invalidOption, refusal } from '../core/refusal.ts'

/** Leads from a request to its session. */
const held: unique symbol = Symbol('session-mirror.session')
/** Leads from a request to the sessions that it has met. */
const met: unique symbol = Symbol('session-mirror.sessions')
type Holding = object & { [held]?: unknown; [met]?: object; session?: unknown }

/** What options of `createSessions` mean where they are given to an adapter. */
export const createSessionsHint = 'it is an option of createSessions'

/** For all requests one: made for each, it would cost more than the session. */
const property: PropertyDescriptor & ThisType<Holding> = {
  configurable: true,
  enumerable: true,
  get() {
    return this[held]
  },
  set: refuse,
}

/** The same for Fastify, which defines it on its requests' prototype. */
export const sessionDecorator: {
  getter(this: Holding): unknown
  setter(this: Holding, value: unknown): void
} = {
  getter() {
    return this[held]
  },
  setter: refuse,
}

/**
 * Whether `request` meets these sessions for the first time: they may be mounted for an app, and for a router of it.
 * @throws SessionError `session-taken` where it has a session of somebody else: an answer has one
 */
export function isFirstOf(sessions: object, request: Holding): boolean {
  const before = request[met]
  if (before === sessions) return false
  const taken = before ?? request.session
  if (taken !== undefined && taken !== null) throw refusal('session-taken')
  request[met] = sessions
  return true
}

/** Gives a request its `session`. */
export function defineSessionOf(request: Holding, session: object): void {
  request[held] = session
  Object.defineProperty(request, 'session', property)
}

/** The same where the property is already there. */
export function holdSessionOf(request: Holding, session: object): void {
  request[held] = session
}

/** Refuses what `createSessions` did not give. @throws SessionError `invalid-option` */
export function checkSessions(adapter: string, sessions: unknown): void {
  if (
    typeof sessions === 'object' &&
    sessions !== null &&
    typeof Reflect.get(sessions, 'progress') === 'function'
  )
    return
  throw invalidOption(
    `${adapter} takes what createSessions gave, not ${described(sessions, { isSecret: true })}.`,
  )
}

function refuse(value: unknown): never {
  throw invalidOption(
    value === null || value === undefined
      ? 'request.session cannot be assigned to, and nobody would be signed out by it. Call session.destroy().'
      : "request.session cannot be assigned to, and nothing would be stored by it. Call session.set('theme', …) or session.signIn(owner).",
  )
}
