// The door `session-mirror/schema`: what browser and server share.
export { defineSession, hidden, readable, writable } from './protocol/schema.ts'
export type {
  Access,
  BrowserKey,
  CounterKey,
  KeyDefinition,
  KeyRead,
  KeyValue,
  Merge,
  Policy,
  ServerKey,
  SessionSchema,
  Validator,
  WritableKey,
} from './protocol/schema.ts'
export type { Json } from './protocol/json.ts'
export { SessionError } from './protocol/errors.ts'
export type { SessionErrorCode, SessionErrorOptions } from './protocol/errors.ts'
