// What is remembered of this browser's session while the disk does not hear of it: in a cookie of our own, because it is read before
// anything is shown, and costs nothing then.
import type { DiskMark } from '../mirror/storage/fallback-storage.ts'
import { isEpoch } from '../protocol/state.ts'

/** Longer than any browser keeps a cookie of script. */
const maxAgeSeconds = 34_560_000
/** In place of an epoch: nobody has a session. No session has this as its epoch. */
const nobody = '!'

/**
 * The mark of the database `name`. Where https allows it, under a name that no other host of the domain can plant (`__Host-`, RFC
 * 6265bis, section 4.1.3.2). Undefined where there are no cookies.
 */
export function diskMark(name: string): DiskMark | undefined {
  if (typeof document === 'undefined' || typeof location === 'undefined') return undefined
  const isSecure = location.protocol === 'https:'
  const cookie = `${isSecure ? '__Host-' : ''}disk-behind-${name.replaceAll(/[^\w-]+/g, '.')}`
  const set = (value: string, seconds: number): void => {
    document.cookie = `${cookie}=${value}; Path=/; SameSite=Strict; Max-Age=${seconds}${isSecure ? '; Secure' : ''}`
  }

  function read(): ReturnType<DiskMark['read']> {
    // A sandboxed frame has no cookies: the property throws.
    const all = `; ${cookies()}`
    const [, value] = all.split(`; ${cookie}=`)
    const text = value?.split(';')[0]
    if (text === undefined) return undefined
    return isEpoch(text) ? text : null
  }

  return {
    read,
    write(epoch) {
      if (epoch === read()) return
      try {
        if (epoch === undefined) set('', 0)
        else set(epoch ?? nobody, maxAgeSeconds)
      } catch {
        // As above: nothing is remembered.
      }
    },
  }
}

function cookies(): string {
  try {
    return document.cookie
  } catch {
    return ''
  }
}
