// The session where there is no browser: server rendering, and tests that import a module of the app. Nobody is here, and one
// object may serve many people: it shows the schema's defaults, keeps nothing, and starts nothing.
import { checkValue, type KeyDefinition, type SessionSchema, definitionOf } from '../protocol/schema.ts'
import { emptyLocalState } from '../mirror/steps/local-state.ts'
import { disposable } from './disposable.ts'
import { type Listener, checkEventName } from './events.ts'
import { checkListener } from './given-options.ts'
import { readableOf, writableOf } from './key-checks.ts'
import type { Write } from './pending-writes.ts'
import type { Session, SessionOptions } from './session.ts'

/**
 * Whether nothing can be mirrored: there is neither a page nor an IndexedDB (web workers have one, and tests may bring one), and the
 * app gives no `fetch` and no `storage` of its own.
 */
export function isWithoutBrowser({
  fetch,
  storage,
}: Pick<SessionOptions<never>, 'fetch' | 'storage'>): boolean {
  return !globalThis.document && !globalThis.indexedDB && !fetch && !storage
}

/** A session of nobody. Wrong use is refused as in a browser. */
export function sessionWithoutBrowser(schema: SessionSchema): Session<SessionSchema> {
  const none = Promise.resolve()
  const dropped: Write = {
    stored: Promise.resolve('memory'),
    acknowledged: Promise.resolve({ code: 'discarded' }),
  }
  /** Its argument has checked the key. */
  const drop = (_checked: KeyDefinition): Write => dropped
  const session: Omit<Session<SessionSchema>, typeof Symbol.dispose> = {
    ready: none,
    known: none,
    status: { state: 'stale', reason: 'unchecked' },
    owner: null,
    durability: 'memory',
    expiresAt: null,
    pending: 0,
    get: (key: string) => definitionOf(schema, readableOf(schema, key))?.default,
    set(key: string, value: unknown) {
      const definition = writableOf(schema, key, 'value')
      checkValue(definition, value)
      return drop(definition)
    },
    delete: (key: string) => drop(writableOf(schema, key, 'any')),
    update: (key: string) => drop(writableOf(schema, key, 'value')),
    increment: (key: string) => drop(writableOf(schema, key, 'counter')),
    subscribe(first: unknown, listener?: Listener<never>) {
      if (typeof first === 'string') readableOf(schema, first)
      checkListener(typeof first === 'function' ? (first as Listener<never>) : listener)
      return nothing
    },
    on(name, listener) {
      checkEventName(name)
      checkListener(listener)
      return nothing
    },
    flush: async () => ({ pending: 0 }),
    pull: () => none,
    extend: async () => false,
    fetch: async (input, init) => fetch(input, init),
    signOut: async ({ everywhere } = {}) => ({
      server: 'queued',
      device: 'clean',
      ...(everywhere === true ? { everywhere: 'queued' } : {}),
    }),
    endOthers: () => none,
    diagnose: async () => [],
    inspect: () => ({ local: emptyLocalState(), contact: 'none', worker: 'none' }),
    close: nothing,
  }
  return disposable(session)
}

function nothing(): void {}
