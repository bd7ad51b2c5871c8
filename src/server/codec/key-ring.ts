// The key ring: from the app's secrets, one key for each purpose. The newest secret signs, older ones only
// verify, and what a removed one signed is refused. A key of one purpose never serves another.
import { fromBase64Url } from '../../protocol/base64url.ts'
import { SessionError } from '../../protocol/errors.ts'
import type { Mac, ServerCrypto } from './crypto.ts'

const keyPurposes = [
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

/** What a key is for. Each purpose has a key of its own, derived from every secret. */
export type KeyPurpose = (typeof keyPurposes)[number]

/** The keys of one secret. */
export interface SecretKeys {
  /** The secret's short name in what it signed: 6 characters that tell nothing about it. */
  readonly id: string
  readonly mac: Readonly<Record<KeyPurpose, Mac>>
}

/** The keys of all secrets of an app. */
export interface KeyRing {
  /** Those that sign. */
  readonly newest: SecretKeys
  /** Those that verify, the newest first. */
  readonly all: readonly SecretKeys[]
  /** The keys that `id` names; undefined when no secret here has that short name. */
  find(id: string): SecretKeys | undefined
}

/** Characters of a secret at least: 32 of hex are 128 random bits. */
const minSecretCharacters = 32
/** Different characters of a secret at least. One of random hex has 14 on average, and less than 8 once in some million. */
const minDifferentCharacters = 8
/** What to do about a bad secret. */
const makeOne = '`npx session-mirror secret` prints a good one.'

/**
 * The ring of `secrets`, the newest first. `app` keeps apart what apps with the same secrets sign.
 * @throws SessionError `invalid-option` for what is no list; `weak-secret` for a secret of less than 32 characters or of
 * less than 8 different ones, for one that stands twice, and for none at all
 */
export function createKeyRing(secrets: readonly string[], crypto: ServerCrypto, app = ''): KeyRing {
  checkSecrets(secrets)
  const ring = new Map<string, SecretKeys>()
  for (const [index, secret] of secrets.entries()) {
    const keys = createKeys(secret, crypto, app)
    // One in 68 thousand million: worth a sentence, not a longer cookie.
    if (ring.has(keys.id))
      throw weak(`secrets[${index}] has the same short name as one before it. Replace it.`)
    ring.set(keys.id, keys)
  }
  const [newest] = ring.values()
  if (newest === undefined) throw weak('secrets is empty, so nothing can be signed.')
  return { newest, all: [...ring.values()], find: (id) => ring.get(id) }
}

function checkSecrets(secrets: readonly string[]): void {
  if (!Array.isArray(secrets)) {
    const message = `secrets must be a list of texts, the newest first, not ${typeof secrets}.`
    throw new SessionError('invalid-option', message)
  }
  for (const [index, secret] of secrets.entries()) {
    const name = `secrets[${index}]`
    if (typeof secret !== 'string') throw weak(`${name} must be a text, not ${typeof secret}.`)
    if (secret.length < minSecretCharacters)
      throw weak(
        `${name} has ${secret.length} characters and can be guessed: it needs ${minSecretCharacters}.`,
      )
    const different = new Set(secret).size
    if (different < minDifferentCharacters)
      throw weak(`${name} has only ${different} different characters and can be guessed.`)
    if (secrets.indexOf(secret) !== index)
      throw weak(`${name} stands in the list before. Remove one of the two.`)
  }
}

function weak(what: string): SessionError {
  return new SessionError('weak-secret', `${what} ${makeOne}`)
}

/** HKDF with SHA-256 (RFC 5869): extract once, then expand for each purpose to one block of 32 bytes. */
function createKeys(secret: string, crypto: ServerCrypto, app: string): SecretKeys {
  const salt = new TextEncoder().encode(`session-mirror/1/${app}`)
  const extracted = crypto.mac(fromBase64Url(crypto.mac(salt)(secret)))
  const expand = (label: string): string => extracted(`${label}\u0001`)
  const bind = (purpose: KeyPurpose): Mac => crypto.mac(fromBase64Url(expand(purpose)))
  const mac = Object.fromEntries(keyPurposes.map((purpose) => [purpose, bind(purpose)]))
  return { id: expand('id').slice(0, 6), mac: mac as SecretKeys['mac'] } // One for each purpose of the list above.
}
