// The door `session-mirror/server`: the session routes, and sessions for an app's own routes, with Node's crypto.
import type { SessionSchema } from './protocol/schema.ts'
import { nodeCrypto } from './server/crypto-node.ts'
import type { ServerCrypto } from './server/crypto.ts'
import { type Sessions, createSessions as createCoreSessions } from './server/handler.ts'
import type { CoreOptions } from './server/options.ts'

export interface SessionsOptions<S extends SessionSchema> extends Omit<CoreOptions<S>, 'crypto'> {
  /** @default Node's */
  readonly crypto?: ServerCrypto
}

/**
 * The sessions of an app.
 * @throws SessionError `weak-secret`, `invalid-option`
 * @example const sessions = createSessions({ schema, secrets: [process.env.SESSION_SECRET], store: memoryStore() })
 */
export function createSessions<const S extends SessionSchema>(options: SessionsOptions<S>): Sessions<S> {
  return createCoreSessions({ crypto: nodeCrypto, ...options })
}

export { problemAnswer } from './server/respond.ts'
export { SessionError } from './protocol/errors.ts'
export { errorTable } from './protocol/error-table.ts'
export type { SessionErrorCode } from './protocol/errors.ts'
export type { CookieOptions } from './server/cookie-jar.ts'
export type { Inspection } from './server/inspect.ts'
export type { RouteHandler, Sessions } from './server/handler.ts'
export type { AnyRequest, CoreRequest, NodeRequest } from './server/request.ts'
export type { CoreAnswer } from './server/respond.ts'
export type { ServerCrypto } from './server/crypto.ts'
export type { Saved, ServerSession, SignInOptions } from './server/session.ts'
export type { Store } from './stores/store.ts'
