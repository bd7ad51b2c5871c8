// The door `session-mirror`: the browser SDK.
export { createSession } from './client/create.ts'
export type { Inspection, Session, SessionOptions, SignOutOptions, SignedOut } from './client/session.ts'
export type { EventName, SessionEvents } from './client/events.ts'
export type { WorkerOptions, WorkerState } from './client/worker-options.ts'
export type { Status } from './client/status.ts'
export type { Write, WriteOutcome } from './client/writes.ts'
export { SessionError } from './protocol/errors.ts'
export type { SessionErrorCode } from './protocol/errors.ts'
