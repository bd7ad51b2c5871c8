// `session.data`: the keys of a session as the properties of an object, for those who think of a dict.
import { type SessionSchema, definitionOf } from '../../protocol/schema.ts'
import type { SessionData } from './server-session.ts'

/** The part of a session that its data needs. */
export interface KeyAccess {
  keys(): string[]
  has(key: string): boolean
  get(key: string): unknown
  set(key: string, value: unknown): void
  delete(key: string): void
}

/** The keys of `session` as properties. */
export function createData<S extends SessionSchema>(
  session: KeyAccess,
  schema: SessionSchema,
): SessionData<S> {
  const data: object = new Proxy(new DataTarget(session, schema), dataHandler)
  return data as SessionData<S> // What the handler makes of it.
}

/** What a proxy stands for: an object without properties, which holds the session. */
class DataTarget {
  readonly #session: KeyAccess
  readonly #schema: SessionSchema

  constructor(session: KeyAccess, schema: SessionSchema) {
    this.#session = session
    this.#schema = schema
  }

  get session(): KeyAccess {
    return this.#session
  }

  /** The keys that are set and that a browser may see, with their values. */
  visible(): Record<string, unknown> {
    const names = this.#session.keys().filter((key) => definitionOf(this.#schema, key)?.access !== 'hidden')
    return Object.fromEntries(names.map((key) => [key, this.#session.get(key)]))
  }

  /** The language itself asks for names such as `then`, and must not be thrown at. */
  isKey(name: string | symbol): name is string {
    return typeof name === 'string' && definitionOf(this.#schema, name) !== undefined
  }
}

/** One handler for all sessions: what differs is in the target. */
const dataHandler: ProxyHandler<DataTarget> = {
  get(target, name) {
    // What is answered or logged by mistake shows no hidden key. Who wants all of them copies: `{ ...session.data }`.
    if (name === 'toJSON' && !target.isKey(name)) return () => target.visible()
    return target.isKey(name) ? target.session.get(name) : undefined
  },
  has: (target, name) => target.isKey(name) && target.session.has(name),
  set(target, name, value: unknown) {
    if (value === undefined) target.session.delete(String(name))
    else target.session.set(String(name), value)
    return true
  },
  deleteProperty(target, name) {
    target.session.delete(String(name))
    return true
  },
  ownKeys: (target) => target.session.keys(),
  getOwnPropertyDescriptor(target, name) {
    if (!target.isKey(name) || !target.session.has(name)) return undefined
    return { value: target.session.get(name), writable: true, enumerable: true, configurable: true }
  },
  // Nothing but keys: no prototype, no property with a getter, and it cannot be sealed.
  getPrototypeOf: () => null,
  defineProperty: () => false,
  setPrototypeOf: () => false,
  preventExtensions: () => false,
}
