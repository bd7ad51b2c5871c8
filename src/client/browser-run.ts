// What of an earlier run must not be shown any more. A session that was not heard of for too long. And a session without "remember
// me" once the browser was closed: it ends with the browser, and so must what is kept of it here. A cookie of our own without a
// lifetime knows, because it shares the fate of the session's.
import { endAnswered } from '../mirror/sync/handover.ts'
import type { TabMirror } from '../mirror/tabs/tab-mirror.ts'
import { shownUntil } from './expiry-estimate.ts'

const marker = 'session-mirror-run=1'

export interface LeftoverOptions {
  readonly mirror: TabMirror
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** For how long after its end a session is shown without a network. */
  readonly offlineSeconds: number | undefined
}

/** At the start: ends what a browser that was closed has left, and what was not heard of for too long. Offline, too. */
export async function endLeftover(options: LeftoverOptions): Promise<void> {
  await endOverdue(options)
  const { mirror, now } = options
  const { document: known } = mirror
  if (known.persistent !== false || known.epoch === null || !hasCookies() || document.cookie.includes(marker))
    return
  const sent = { document: known, sealed: null }
  await endAnswered(mirror, { state: 'signed-out', reason: 'ended' }, { sent, now })
}

/** Ends a session that was over long ago by the last word of the server. What is unsent of it is kept for its owner, encrypted. */
export async function endOverdue({ mirror, now, offlineSeconds }: LeftoverOptions): Promise<void> {
  const { document: known } = mirror
  // A sign-out that is under way has wiped it already.
  if (known.epoch === null || known.notedAt === 0 || now() < shownUntil(known, offlineSeconds)) return
  const sent = { document: known, sealed: null }
  await endAnswered(mirror, { state: 'signed-out', reason: 'expired' }, { sent, now })
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
