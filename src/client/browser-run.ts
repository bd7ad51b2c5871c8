// Whether the browser was closed since: a session without "remember me" ends with the browser, and so must what
// is kept of it here. A cookie of our own without a lifetime knows, because it shares the fate of the session's.
import { endAnswered } from '../mirror/sync/handover.ts'
import type { TabMirror } from '../mirror/tabs/tab-mirror.ts'

const marker = 'session-mirror-run=1'

/** At the start: ends what a browser that was closed has left. Offline, too. */
export async function endLeftover(mirror: TabMirror, now: () => number): Promise<void> {
  const { document: known } = mirror
  if (known.persistent !== false || known.epoch === null || !hasCookies() || document.cookie.includes(marker))
    return
  const sent = { document: known, sealed: null }
  await endAnswered(mirror, { state: 'signed-out', reason: 'ended' }, { sent, now })
}

/** Whenever the mirror changes. */
export function markRun(mirror: TabMirror): void {
  if (mirror.document.persistent !== false || !hasCookies() || document.cookie.includes(marker)) return
  const secure = location.protocol === 'https:' ? '; Secure' : ''
  document.cookie = `${marker}; Path=/; SameSite=Strict${secure}`
}

function hasCookies(): boolean {
  return typeof document !== 'undefined'
}
