// `createSessions` with Node's cryptography: what the door gives. The core itself takes any.
import type { SessionSchema } from '../protocol/schema.ts'
import { nodeCrypto } from './crypto-node.ts'
import type { ServerCrypto } from './crypto.ts'
import { nodeChannels } from './watch-node.ts'
import { type Sessions, createSessions as createCoreSessions } from './handler.ts'
import type { CoreOptions } from './options.ts'

export interface SessionsOptions<S extends SessionSchema> extends Omit<CoreOptions<S>, 'crypto'> {
  /** @default Node's */
  readonly crypto?: ServerCrypto
}

/**
 * The sessions of an app.
 * @throws SessionError `weak-secret`, `invalid-option`
 * @example const sessions = createSessions({ schema, secrets: [secret], store: memoryStore() })
 */
export function createSessions<const S extends SessionSchema>(options: SessionsOptions<S>): Sessions<S> {
  return createCoreSessions({ crypto: nodeCrypto, channels: nodeChannels, ...options })
}
