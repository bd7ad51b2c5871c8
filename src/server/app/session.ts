// The session as an app's request handler holds it. Reads are of what was loaded with this request's changes on
// top; changes are steps that `save` applies to whatever the session is by then.
import type { Epoch } from '../../protocol/state.ts'
import type { CounterKey, KeyRead, KeyValue, ServerKey, SessionSchema } from '../../protocol/schema.ts'
import type { DeadReason } from '../lifecycle/loaded.ts'

export interface Saved {
  /** Null while there is no session: nothing was set yet. */
  readonly epoch: Epoch | null
  readonly revision: number
  /** Names of the keys that this very save set or removed; a value that was there already is none. */
  readonly changed: readonly string[]
}

/** A session's keys as the properties of one object. A key without a value and without a default is undefined. */
export type SessionData<S extends SessionSchema> = {
  -readonly [K in ServerKey<S> as undefined extends KeyRead<S, K> ? K : never]?: KeyRead<S, K>
} & {
  -readonly [K in ServerKey<S> as undefined extends KeyRead<S, K> ? never : K]: KeyRead<S, K>
}

export interface SignInOptions {
  /** Keys of the anonymous session, or of another owner's, that go on. Nothing else does. @default [] */
  readonly carry?: readonly string[]
  /** What the list of the owner's sessions calls this one: 'Firefox on Linux'. Up to 200 characters. @default null */
  readonly label?: string
  /** "Remember me": whether the cookie outlives the browser. @default as before, else `cookie.persistent` */
  readonly persistent?: boolean
}

export interface DestroyOptions {
  /** Ends all sessions of the owner. @default false */
  readonly everywhere?: boolean
}

/**
 * A session on the server. Values are frozen: change them with `set` or `update`.
 * Every method that names a key throws SessionError `unknown-key` for one that the schema does not have.
 */
export interface ServerSession<S extends SessionSchema = SessionSchema> {
  /** The user that `signIn` named, or null. */
  readonly owner: string | null
  /** Whether nothing is stored for this browser yet. */
  readonly isNew: boolean
  /** Why the session that the cookie names is not here any more; undefined when there was none, or it lives. */
  readonly missing: DeadReason | undefined
  /** Names this life of the session: new at every `signIn` and `regenerate`. Not secret. */
  readonly epoch: Epoch | null
  readonly revision: number
  /** When the first of its lives began; null while nothing is stored. */
  readonly created: Date | null
  /** When the cookie was last set: using a session writes nothing, so this is good to half of `freshSeconds`. */
  readonly lastAccessed: Date | null
  /** When the owner signed in, or did so again; null for nobody. */
  readonly signedInAt: Date | null
  /** What `signIn` called it. */
  readonly label: string | null
  /**
   * For what needs a recent sign-in, by the server's clock.
   * @example if (!session.signedInWithin(300)) return askForPassword()
   */
  signedInWithin(seconds: number): boolean
  /**
   * The keys as properties: `session.data['user'] = 'MVL'`, `delete session.data.user`, `'user' in session.data`.
   * The same as `get`, `set`, `delete`, `has`, `keys`. Reading a name that is no key of the schema gives undefined;
   * setting one throws `unknown-key`.
   */
  readonly data: SessionData<S>
  /** What a browser may see: a session that is answered or logged by mistake shows no hidden key. */
  toJSON(): unknown
  /** Names of the keys that are set. */
  keys(): string[]
  has(key: ServerKey<S>): boolean
  /** The value, or the key's default. */
  get<K extends ServerKey<S>>(key: K): KeyRead<S, K>
  /** @throws SessionError `not-json`, `invalid`, `too-large` */
  set<K extends ServerKey<S>>(key: K, value: KeyValue<S, K>): void
  delete(key: ServerKey<S>): void
  /** As Beaker has it: `destroy`. */
  delete(): void
  /**
   * Changes a value by what it is. `change` must only compute: it runs now, again whenever the key is read, and
   * at `save` on the newest value there is. Undefined deletes.
   */
  update<K extends ServerKey<S>>(key: K, change: (value: KeyRead<S, K>) => KeyValue<S, K> | undefined): void
  /** @default by 1 */
  increment(key: CounterKey<S>, by?: number): void
  /**
   * At `save` the session gets a new id and a new epoch, and the old cookie is dead at once. The same owner keeps
   * every key; otherwise only those in `carry` stay. What this request changes, before or after, goes on top.
   * @throws SessionError `invalid-option` for an owner that is no text of 1 to 256 characters, for a label that is
   * none of up to 200, and for a session that `getById` gave
   */
  signIn(owner: string, options?: SignInOptions): void
  /**
   * For a change of privilege without a sign-in: at `save` the session gets a new id and a new epoch, the old cookie
   * is dead at once, and everything else stays. Nothing happens while nothing is stored.
   * @throws SessionError `invalid-option` for a session that `getById` gave
   */
  regenerate(): void
  /**
   * At `save` the session ends, for every request that still runs too, and the cookie is cleared. What is set
   * after it begins a new one.
   */
  destroy(options?: DestroyOptions): void
  /** As Beaker has it: `destroy`. */
  invalidate(): void
  /**
   * Stores the changes, if there are any, and says which. The middleware and `sessions.route` call it before they
   * answer, unless `autoSave` is false.
   * @throws SessionError `ended`, `reuse` or `lost` when the session is no more, `too-large`, `contention`,
   * `store-unavailable`. The changes are still here then; `revert` drops them.
   */
  save(): Promise<Saved>
  /** Drops the changes since the last `save`. */
  revert(): void
}
