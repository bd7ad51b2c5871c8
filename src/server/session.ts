// The session as an app's request handler holds it. Reads are of what was loaded with this request's changes on
// top; changes are steps that `save` applies to whatever the session is by then.
import type { Epoch } from '../protocol/state.ts'
import type { CounterKey, KeyRead, KeyValue, ServerKey, SessionSchema } from '../protocol/schema.ts'
import type { DeadReason } from './load.ts'

export interface Saved {
  /** Null while there is no session: nothing was set yet. */
  readonly epoch: Epoch | null
  readonly revision: number
}

export interface SignInOptions {
  /** Keys of the anonymous session, or of another owner's, that go on. Nothing else does. @default [] */
  readonly carry?: readonly string[]
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
  readonly epoch: Epoch | null
  readonly revision: number
  /** Names of the keys that are set. */
  keys(): string[]
  has(key: ServerKey<S>): boolean
  /** The value, or the key's default. */
  get<K extends ServerKey<S>>(key: K): KeyRead<S, K>
  /** @throws SessionError `not-json`, `invalid`, `too-large` */
  set<K extends ServerKey<S>>(key: K, value: KeyValue<S, K>): void
  delete(key: ServerKey<S>): void
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
   * @throws SessionError `invalid-option` for an owner that is no text of 1 to 256 characters
   */
  signIn(owner: string, options?: SignInOptions): void
  /** At `save` the session ends, for every request that still runs too, and the cookie is cleared. */
  destroy(): void
  /**
   * Stores the changes, if there are any. The middleware and `sessions.route` call it before they answer.
   * @throws SessionError `ended`, `reuse` or `lost` when the session is no more, `too-large`, `contention`,
   * `store-unavailable`. The changes are still here then; `revert` drops them.
   */
  save(): Promise<Saved>
  /** Drops the changes since the last `save`. */
  revert(): void
}
