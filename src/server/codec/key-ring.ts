// The key ring: from the app's secrets, one key for each purpose. The newest secret signs, older ones only
// verify, and what a removed one signed is refused. A key of one purpose never serves another.
import { SessionError } from '../../protocol/errors.ts'
import { fromBase64Url } from '../../protocol/base64url.ts'
import type { Mac, ServerCrypto } from './crypto.ts'

const purposes = [
  'cookie',
  'store-key',
  'record',
  'rotate',
  'owner-key',
  'owner-record',
  'parking',
  'parking-key',
  'carried',
] as const
export type KeyPurpose = (typeof purposes)[number]

/** The keys of one secret. */
export interface Keys {
  /** Names the secret in what it signed: 6 characters that tell nothing about it. */
  readonly id: string
  readonly mac: Readonly<Record<KeyPurpose, Mac>>
}

export interface KeyRing {
  /** Signs. */
  readonly newest: Keys
  /** The newest first. */
  readonly all: readonly Keys[]
  /** The keys that `id` names, or undefined: nobody here made that. */
  find(id: string): Keys | undefined
}

const minSecretLength = 32
/** A random secret in hex has 14 different characters on average, and less than 8 once in some million. */
const minDifferent = 8

/**
 * The ring of `secrets`, the newest first. `app` keeps apart what apps with the same secrets sign.
 * @throws SessionError `weak-secret` for a secret of less than 32 characters, or of less than 8 different ones,
 * for one that stands twice, and for none at all.
 */
export function createKeyRing(secrets: readonly string[], crypto: ServerCrypto, app = ''): KeyRing {
  checkSecrets(secrets)
  const ring = new Map<string, Keys>()
  for (const secret of secrets) {
    const keys = createKeys(secret, crypto, app)
    // One in 68 thousand million: worth a sentence, not a longer cookie.
    if (ring.has(keys.id))
      throw new SessionError('weak-secret', 'Two secrets have the same short name: replace one.')
    ring.set(keys.id, keys)
  }
  const [newest] = ring.values()
  if (newest === undefined) throw new SessionError('weak-secret', 'There is no secret.')
  return { newest, all: [...ring.values()], find: (id) => ring.get(id) }
}

function checkSecrets(secrets: readonly string[]): void {
  if (!Array.isArray(secrets))
    throw new SessionError('invalid-option', 'secrets must be a list, the newest first.')
  for (const secret of secrets) {
    if (typeof secret !== 'string' || secret.length < minSecretLength) throw new SessionError('weak-secret')
    if (new Set(secret).size < minDifferent)
      throw new SessionError(
        'weak-secret',
        `A secret has less than ${minDifferent} different characters. \`npx session-mirror secret\` prints a good one.`,
      )
  }
  if (new Set(secrets).size !== secrets.length) throw new SessionError('weak-secret')
}

/** HKDF with SHA-256 (RFC 5869): extract once, then expand for each purpose to one block of 32 bytes. */
function createKeys(secret: string, crypto: ServerCrypto, app: string): Keys {
  const salt = new TextEncoder().encode(`session-mirror/1/${app}`)
  const extracted = crypto.mac(fromBase64Url(crypto.mac(salt)(secret)))
  const expand = (label: string): string => extracted(`${label}\u0001`)
  const bind = (purpose: KeyPurpose): Mac => crypto.mac(fromBase64Url(expand(purpose)))
  return {
    id: expand('id').slice(0, 6),
    mac: Object.fromEntries(purposes.map((purpose) => [purpose, bind(purpose)])) as Keys['mac'], // All of them.
  }
}
