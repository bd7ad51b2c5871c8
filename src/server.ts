// The door `session-mirror/server`: the session routes, and sessions for an app's own routes.
export { createSessions } from './server/node/create-sessions.ts'
export type { SessionsOptions } from './server/node/create-sessions.ts'
export type { CoreOptions } from './server/app/core-options.ts'
export type { Assurance } from './server/core/assurance.ts'
export { localFeed } from './server/core/feed.ts'
export type { Feed } from './server/core/feed.ts'
export type { AllowAnonymous, KeepContext } from './server/core/core.ts'
export type { EndedAll, OwnedSession } from './server/lifecycle/owners.ts'
export type { WatchChannel, WatchChannels, WatchedEvents, WatchedName } from './server/core/watch.ts'
export { embed } from './server/app/app-session.ts'
export { problemAnswer } from './server/http/core-answer.ts'
// What a session's types are made of: the schema's own types.
export type * from './schema.ts'
export { SessionError } from './protocol/errors.ts'
export { errorTable } from './protocol/error-table.ts'
export type { ErrorFacts } from './protocol/error-table.ts'
export type { Clock } from './protocol/clock.ts'
export type { Epoch } from './protocol/state.ts'
export type { SessionErrorCode } from './protocol/errors.ts'
export type { CookieOptions } from './server/core/cookie-jar.ts'
export type { InspectedRecord, InspectedState, Inspection } from './server/routes/inspect.ts'
export type {
  RevokeAllOptions,
  RouteHandler,
  RouteOptions,
  SessionWatch,
  Sessions,
  WatchEnd,
  WatchOptions,
} from './server/app/sessions.ts'
export type { SessionProgress } from './server/http/progress.ts'
export type { AnyRequest, CoreRequest, NodeRequest } from './server/http/request.ts'
export type { CoreAnswer, Header } from './server/http/core-answer.ts'
export type { Aead, Mac, ServerCrypto } from './server/codec/crypto.ts'
export type { EndReason } from './server/codec/record.ts'
export type { DeadReason } from './server/lifecycle/loaded.ts'
export type { GoneCode } from './server/lifecycle/locate.ts'
export type {
  DestroyOptions,
  Saved,
  ServerSession,
  SessionData,
  SignInOptions,
} from './server/app/server-session.ts'
// The contract of a store, to write one.
export type * from './stores/store.ts'
export type { StoreOperation } from './stores/wrapped-store.ts'
