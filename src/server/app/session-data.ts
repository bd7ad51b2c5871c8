// `session.data`: the keys of a session as the properties of an object, for those who think of a dict.
import { type SessionSchema, definitionOf } from '../../protocol/schema.ts'
import type { OpenSession } from './open-session.ts'
import type { SessionData } from './session.ts'

export function createData<S extends SessionSchema>(open: OpenSession): SessionData<S> {
  const { core, draft } = open
  // The language itself asks for names such as `then` and `toJSON`, and must not be thrown at.
  const isKey = (name: string | symbol): name is string =>
    typeof name === 'string' && definitionOf(core.schema, name) !== undefined

  function read(name: string | symbol): unknown {
    open.touch()
    return isKey(name) ? draft.read(open.entries, name) : undefined
  }

  function remove(name: string | symbol): boolean {
    open.touch()
    draft.delete(String(name))
    open.change()
    return true
  }

  const handler: ProxyHandler<object> = {
    get: (_, name) => read(name),
    has(_, name) {
      open.touch()
      return isKey(name) && draft.has(open.entries, name)
    },
    set(_, name, value: unknown) {
      open.touch()
      if (value === undefined) return remove(name)
      draft.set(String(name), value)
      open.change()
      return true
    },
    deleteProperty: (_, name) => remove(name),
    ownKeys() {
      open.touch()
      return draft.keys(open.entries)
    },
    getOwnPropertyDescriptor(_, name) {
      if (!isKey(name) || !draft.has(open.entries, name)) return undefined
      return { value: read(name), writable: true, enumerable: true, configurable: true }
    },
    // Nothing but keys: no property with a getter, no other prototype, and it cannot be sealed.
    defineProperty: () => false,
    setPrototypeOf: () => false,
    preventExtensions: () => false,
  }
  return new Proxy(Object.create(null), handler) as SessionData<S> // What the handler makes of it.
}
