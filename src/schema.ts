// The door `session-mirror/schema`: what browser and server share.
export { defineSession, hidden, readable, writable } from './protocol/schema.ts'
export type {
  Access,
  BrowserKey,
  CounterKey,
  DefineKey,
  DefineWritable,
  KeyDefinition,
  KeyDefinitions,
  KeyRead,
  KeyValue,
  Merge,
  Policy,
  SchemaKeys,
  ServerKey,
  SessionSchema,
  Validated,
  Validator,
  WritableKey,
} from './protocol/schema.ts'
export type { Json } from './protocol/json.ts'
export { SessionError } from './protocol/errors.ts'
export type { SessionErrorCode, SessionErrorOptions } from './protocol/errors.ts'
