// Sessions that are kept in the cookie: what stands in it behind `~`, encrypted, and the core that works on it for one
// request. The signed part before the `~` is like that of every session.
import type { CarriedStore } from '../../stores/store.ts'
import { cookieValues } from '../codec/cookie.ts'
import { fromBase64Url, toBase64Url } from '../../protocol/base64url.ts'
import type { Carried, Core } from './core.ts'
import type { Aead } from '../codec/crypto.ts'
import type { KeyRing, SecretKeys } from '../codec/key-ring.ts'
import type { CoreRequest } from '../http/request.ts'
import { watchedStore } from './watch.ts'

/** Browsers remembered for exactly-once: each takes some hundred bytes of a small cookie. */
export const carriedClients = 2

/** What one request works with. */
export interface RequestCore {
  /** The core with the store that this request has opened. */
  readonly core: Core
  /** The request without what its cookie carries. */
  readonly request: CoreRequest
}

/** The core as `request` has it, and the request as the core reads it. Both as given where the server keeps sessions. */
export function enter(core: Core, request: CoreRequest): RequestCore {
  const { carriedStore, crypto } = core
  if (carriedStore === undefined || crypto.aead === undefined) return { core, request }
  const { carried, store } = open(carriedStore, parcelsOf(core, request), {
    ring: core.ring,
    aead: crypto.aead,
  })
  return {
    core: { ...core, carried, store: watchedStore(store, core.watch) },
    request: withoutParcels(request),
  }
}

function open(
  carriedStore: CarriedStore,
  parcels: readonly string[],
  sealing: Sealing,
): { readonly carried: Carried; readonly store: ReturnType<CarriedStore['open']> } {
  const store = carriedStore.open((key) => {
    for (const parcel of parcels) {
      const bytes = openParcel(parcel, key, sealing)
      if (bytes !== undefined) return bytes
    }
    return undefined
  })
  const carried: Carried = {
    get isChanged() {
      return store.isChanged
    },
    textFor({ key }) {
      const bytes = store.carriedFor(key)
      return bytes === undefined ? '' : `~${sealParcel(bytes, key, sealing)}`
    },
  }
  return { carried, store }
}

function parcelsOf(core: Core, request: CoreRequest): readonly string[] {
  const header = request.header('cookie')
  if (header === undefined) return []
  // Of two with one id the younger counts, as it does of their signed parts.
  const values = cookieValues(header, core.jar.nameFor(request)).toSorted((a, b) =>
    issuedOf(a) < issuedOf(b) ? 1 : -1,
  )
  return values.flatMap((value) => {
    const at = value.indexOf('~')
    return at === -1 ? [] : [value.slice(at + 1)]
  })
}

/** When a cookie was set, as its signed part says; of fixed width, so texts compare as the times do. */
function issuedOf(value: string): string {
  return value.split('.')[4] ?? ''
}

/** The core knows cookies of one length. */
function withoutParcels(request: CoreRequest): CoreRequest {
  const header = (name: string): string | undefined => {
    const value = request.header(name)
    return name === 'cookie' ? value?.replace(/~[\w-]*(?=[ \t]*(?:;|$))/g, '') : value
  }
  const { method, url, secure, host } = request
  return { method, url, secure, host, header, body: () => request.body() }
}

interface Sealing {
  readonly ring: KeyRing
  readonly aead: Aead
}

// Each session has a key of its own: random nonces under a single key would be used up after four thousand million cookies.
const keyFor = (keys: SecretKeys, key: string): Uint8Array => fromBase64Url(keys.mac.carried(key))

function sealParcel(bytes: Uint8Array, key: string, { ring: { newest }, aead }: Sealing): string {
  return `${newest.id}${toBase64Url(aead.seal(keyFor(newest, key), bytes, key))}`
}

/** The session's bytes; undefined for a parcel of another session, and for any that was changed by a bit. */
function openParcel(parcel: string, key: string, { ring, aead }: Sealing): Uint8Array | undefined {
  const keys = ring.find(parcel.slice(0, 6))
  if (keys === undefined || !/^[\w-]+$/.test(parcel) || parcel.length % 4 === 3) return undefined
  return aead.open(keyFor(keys, key), fromBase64Url(parcel.slice(6)), key)
}
