// `createSessions` with Node's cryptography: what the door gives. The core itself takes any.
import { channel } from 'node:diagnostics_channel'
import { checkOptions } from '../../protocol/check-options.ts'
import type { SessionSchema } from '../../protocol/schema.ts'
import { type WatchChannels, watchedNames } from '../core/watch.ts'
import { nodeCrypto } from './node-crypto.ts'
import type { ServerCrypto } from '../codec/crypto.ts'
import { createCoreSessions } from '../app/create-core-sessions.ts'
import type { Sessions } from '../app/sessions.ts'
import { coreOptions } from '../app/known-options.ts'
import type { CoreOptions } from '../app/core-options.ts'

/** The options of `createSessions`. `schema`, `secrets` and `store` are needed; all others have defaults. */
export interface SessionsOptions<S extends SessionSchema> extends Omit<CoreOptions<S>, 'crypto'> {
  /** @default Node's */
  readonly crypto?: ServerCrypto
}

/** The watched events, as channels of `node:diagnostics_channel`. */
const nodeChannels = Object.fromEntries(
  watchedNames.map((name) => [name, channel(`session-mirror:${name}`)]),
) as unknown as WatchChannels // All of them.

/**
 * The sessions of an app.
 * @throws SessionError `weak-secret`, `invalid-option`
 * @example const sessions = createSessions({ schema, secrets: [secret], store: memoryStore() })
 */
export function createSessions<const S extends SessionSchema>(options: SessionsOptions<S>): Sessions<S> {
  // Before they are spread: a text would become an object of letters.
  checkOptions('createSessions', options, coreOptions)
  const { crypto = nodeCrypto, channels = nodeChannels } = options
  const sessions = createCoreSessions({ ...options, crypto, channels })
  warnOf(options.store)
  return sessions
}

const lossOfChanges = 'of two requests that change a session at once it loses changes of one'
const losses = {
  final: undefined,
  kept: 'a copy of a cookie works after a sign-out once the store forgets it',
  none: 'a copy of a cookie works after a sign-out',
} as const

/** What a store does not promise is said at the start, not found out later. */
function warnOf({
  name,
  guarantees: { compareAndSwap, revocation },
}: SessionsOptions<SessionSchema>['store']): void {
  const lost = [compareAndSwap === 'none' ? lossOfChanges : undefined, losses[revocation]]
  const text = lost.filter((loss) => loss !== undefined).join('; ')
  if (text === '') return
  process.emitWarning(`The store "${name}" keeps sessions in the cookie: ${text}. See docs/stores.md.`, {
    type: 'SessionMirrorWarning',
    code: 'SESSION_MIRROR_STORE',
  })
}
