// The door `session-mirror`: the browser SDK.
export { createSession } from './client/create-session.ts'
export type {
  MirrorInspection,
  Session,
  SessionOptions,
  SignOutOptions,
  SignedOut,
} from './client/session.ts'
export type { Finding, FindingCode, Severity } from './client/doctor/findings.ts'
export type { EventName, Listener, SessionEvents } from './client/events.ts'
export type { TrustedUrl, WorkerOptions, WorkerState } from './client/worker-options.ts'
export type { Status } from './client/status.ts'
export type { Write, WriteOutcome } from './client/pending-writes.ts'
export type { Discarded } from './mirror/sync/handover.ts'
export type {
  Ending,
  Leaving,
  LocalState,
  MirrorDocument,
  OpenMutation,
  OutboxDocument,
  Parcel,
  SealedBatch,
} from './mirror/steps/local-state.ts'
export type { Exchange } from './mirror/wire/send.ts'
export type { Durability, Storage as MirrorStorage, StorageStep } from './mirror/storage/storage.ts'
export type { Contact } from './mirror/sync/pass.ts'
export type {
  Base as MutationBase,
  IncrementMutation,
  Mutation,
  MutationOf,
  Outcome,
  RemoveMutation,
  SetMutation,
} from './protocol/mutation.ts'
export type { Entries, Entry, Epoch, MirrorState } from './protocol/state.ts'
// What a session's types are made of: the schema's own types.
export type * from './schema.ts'
export { SessionError } from './protocol/errors.ts'
export type { SessionErrorCode } from './protocol/errors.ts'
