// The types of the session that an app's request handler holds. Reads are of what was loaded, with this request's changes
// on top; changes are steps that `save` applies to whatever the session is by then.
import type { CounterKey, KeyRead, KeyValue, ServerKey, SessionSchema } from '../../protocol/schema.ts'
import type { Epoch } from '../../protocol/state.ts'
import type { DeadReason } from '../lifecycle/loaded.ts'

/** What `save` did. */
export interface Saved {
  /** Names this life of the session; null while there is no session: nothing was set yet. */
  readonly epoch: Epoch | null
  /** Counts the changes of the session's keys; 0 while there is no session. */
  readonly revision: number
  /** Names of the keys that this very save set or removed. A value that was there already counts as no change. */
  readonly changed: readonly string[]
}

/** A session's keys as the properties of one object. A key without a value and without a default is undefined. */
export type SessionData<S extends SessionSchema> = {
  -readonly [K in ServerKey<S> as undefined extends KeyRead<S, K> ? K : never]?: KeyRead<S, K>
} & {
  -readonly [K in ServerKey<S> as undefined extends KeyRead<S, K> ? never : K]: KeyRead<S, K>
}

/** The options of `signIn`. */
export interface SignInOptions {
  /** Names of the keys that go on from the anonymous session, or from another owner's. No other key does. @default [] */
  readonly carry?: readonly string[]
  /** What the list of the owner's sessions calls this one, such as 'Firefox on Linux'. Up to 200 characters. @default null */
  readonly label?: string
  /** "Remember me": whether the cookie outlives the browser. @default as before, else `cookie.persistent` */
  readonly persistent?: boolean
}

/** The options of `destroy`. */
export interface DestroyOptions {
  /** Whether all sessions of the owner end, and not only this one. @default false */
  readonly everywhere?: boolean
}

/**
 * A session on the server. Values are frozen: change them with `set` or `update`. Call its methods on it: they cannot be
 * taken out of it.
 * Every method that names a key throws SessionError `unknown-key` for one that the schema does not have.
 * @example
 * session.set('theme', 'dark')
 * if (session.owner === null) session.signIn(user.id, { carry: ['cart'] })
 */
export interface ServerSession<S extends SessionSchema = SessionSchema> {
  /** The user that `signIn` named, or null. */
  readonly owner: string | null
  /** Whether nothing is stored for this browser yet. */
  readonly isNew: boolean
  /** Why the session that the cookie names is gone; undefined when it lives, or no cookie came. */
  readonly missing: DeadReason | undefined
  /** Names this life of the session: new at every `signIn` and `regenerate`. Not secret. Null while nothing is stored. */
  readonly epoch: Epoch | null
  /** Counts the changes of the session's keys; 0 while nothing is stored. */
  readonly revision: number
  /** When the first of its lives began; null while nothing is stored. */
  readonly created: Date | null
  /** When the cookie was last set. Using a session writes nothing, so this is exact to half of `freshSeconds`. */
  readonly lastAccessed: Date | null
  /** When the owner signed in, or did so again; null while nobody is signed in. */
  readonly signedInAt: Date | null
  /** What `signIn` called it; null when it gave no label. */
  readonly label: string | null
  /**
   * Whether the owner signed in during the last `seconds`, by the server's clock: for what needs a recent sign-in.
   * @example if (!session.signedInWithin(300)) return askForPassword()
   */
  signedInWithin(seconds: number): boolean
  /**
   * Whether the cookie has to be refreshed before it is good for an ordinary request. What reads show is right all the same.
   * `load` gives such a session only to a page that is being opened; `read` gives it to everybody.
   */
  readonly isStale: boolean
  /**
   * The keys as properties: the same as `get`, `set`, `delete`, `has` and `keys`. Reading a name that is no key of the
   * schema gives undefined; setting one throws `unknown-key`. As JSON it shows what a browser may see; a copy,
   * `{ ...session.data }`, has all keys.
   * @example
   * session.data['user'] = 'MVL'
   * if ('user' in session.data) delete session.data.user
   */
  readonly data: SessionData<S>
  /** What a browser may see, so that a session which is answered or logged by mistake shows no hidden key. */
  toJSON(): unknown
  /** Names of the keys that are set. */
  keys(): string[]
  /** Whether the key is set. A default does not count. */
  has(key: ServerKey<S>): boolean
  /** The value, or the key's default. */
  get<K extends ServerKey<S>>(key: K): KeyRead<S, K>
  /**
   * Sets a key.
   * @throws SessionError `not-json`; `invalid` when the key's validator refuses the value; `too-large`
   */
  set<K extends ServerKey<S>>(key: K, value: KeyValue<S, K>): void
  /** Removes a key. */
  delete(key: ServerKey<S>): void
  /** The same as `destroy()`, by Beaker's name. */
  delete(): void
  /**
   * Changes a value by what it is. `change` must only compute, because it runs several times: now, whenever the key is
   * read, and at `save` on the newest value there is. When it gives undefined, the key is removed.
   * @throws SessionError `not-json`, `invalid`, `too-large`, and what `change` throws
   * @example session.update('cart', (cart) => [...cart, item])
   */
  update<K extends ServerKey<S>>(key: K, change: (value: KeyRead<S, K>) => KeyValue<S, K> | undefined): void
  /**
   * Adds to a counter. `by` may be negative.
   * @default by 1
   * @throws SessionError `invalid` for a key that is no counter, and for a number that the counter does not take
   */
  increment(key: CounterKey<S>, by?: number): void
  /**
   * At `save` the session gets a new id and a new epoch, and the old cookie is dead at once. The same owner keeps every
   * key; otherwise only those in `carry` stay. What this request changes, before or after, goes on top.
   * @throws SessionError `invalid-option` for an owner that is no text of 1 to 256 characters, for a label that is no
   * text of up to 200, and for a session that `getById` gave; `unknown-key` for a name in `carry`
   */
  signIn(owner: string, options?: SignInOptions): void
  /**
   * For a change of privilege without a sign-in: at `save` the session gets a new id and a new epoch, the old cookie is
   * dead at once, and everything else stays. Nothing happens while nothing is stored.
   * @throws SessionError `invalid-option` for a session that `getById` gave
   */
  regenerate(): void
  /**
   * Lets another site lead the browser to this request: the guard does not stand before its changes. Only for routes that
   * find out by themselves who asks: a callback of OAuth that checks `state`, a link with a secret that works once, a
   * `form_post` whose signature is checked. Without it a sign-in or sign-out by GET, and any change by POST, that comes from
   * another site is refused with `cross-site`.
   * @example
   * app.get('/oauth/callback', async ({ session, query }, response) => {
   *   session.allowCrossSite()
   *   session.signIn(await userOf(query.code, query.state))
   *   response.redirect('/')
   * })
   */
  allowCrossSite(): void
  /**
   * At `save` the session ends, also for requests that still run, and the cookie is cleared. What is set after this call
   * begins a new session.
   */
  destroy(options?: DestroyOptions): void
  /** The same as `destroy()`, by Beaker's name. */
  invalidate(): void
  /**
   * Stores the changes, if there are any, and says which. The middleware and `sessions.route` call it before they
   * answer, unless `autoSave` is false. A failed save leaves the changes here: call it again, or drop them with `revert`.
   * @throws SessionError `ended`, `reuse` or `lost` when the session is gone; `epoch-mismatch` when the page believes in a
   * session that is gone; `cross-site` when another site made the browser send the request; `too-large`; `contention`;
   * `store-unavailable`; `answer-begun` when the head of the answer is gone and the change needs a cookie: a sign-in,
   * `regenerate`, a first change, any change of a session that is kept in the cookie
   */
  save(): Promise<Saved>
  /** Drops the changes since the last `save`. */
  revert(): void
}
