// What the schema lets a page do with a key, checked where the types cannot.
import { SessionError } from '../protocol/errors.ts'
import { type KeyDefinition, type SessionSchema, definitionOf } from '../protocol/schema.ts'

/**
 * `key` itself, when a page may read it.
 * @throws SessionError `unknown-key`; `denied` for a hidden key
 */
export function readableOf(schema: SessionSchema, key: string): string {
  if (knownOf(schema, key).access === 'hidden')
    throw new SessionError('denied', `"${key}" is hidden: it stays on the server.`)
  return key
}

/**
 * The definition of a key that a page may write in this way.
 * @throws SessionError `unknown-key`; `denied` for a key that only the server writes, and for the wrong kind
 */
export function writableOf(
  schema: SessionSchema,
  key: string,
  kind: 'value' | 'counter' | 'any',
): KeyDefinition {
  const definition = knownOf(schema, key)
  if (definition.access !== 'writable')
    throw new SessionError('denied', `"${key}" is ${definition.access}: only the server may write it.`)
  if (kind !== 'any' && definition.kind !== kind) {
    const how = definition.kind === 'counter' ? 'is a counter: use increment' : 'is not a counter: use set'
    throw new SessionError('denied', `"${key}" ${how}.`)
  }
  return definition
}

function knownOf(schema: SessionSchema, key: string): KeyDefinition {
  const definition = definitionOf(schema, key)
  if (definition === undefined) throw new SessionError('unknown-key', `The schema has no key "${key}".`)
  return definition
}
