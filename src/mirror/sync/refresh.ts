// Refreshing the cookie: one at a time over all tabs and the worker. The lock makes it single; the stored
// time of the last refresh tells a late one that there is nothing left to do.
import type { SessionErrorCode } from '../../protocol/errors.ts'
import { goneCodes } from '../steps/sign-out.ts'
import type { KnownSession } from './known-session.ts'
import { noteRefresh } from '../steps/snapshot.ts'
import type { SessionTimes } from '../../protocol/messages.ts'
import type { ServerAnswer } from '../wire/send.ts'
import type { MirrorState } from '../../protocol/state.ts'

export type Refreshed =
  | { readonly kind: 'fresh' }
  /** The server could not be reached: the cookie may still be good, and nobody is signed out. */
  | { readonly kind: 'failed' }
  /** There is no session to refresh any more. Only a pull may end it: this answer may be to an older cookie. */
  | { readonly kind: 'over'; readonly code: SessionErrorCode }

export interface Refresh {
  /** Refreshes when the cookie is near its end. One that is still good is waited for no longer than a second. */
  ahead(): Promise<Refreshed>
  /**
   * Refreshes after a 401 `stale` to a request that was sent at `sentAt`, unless somebody has since then. `isPersons`: also while
   * the server wants to be left alone.
   */
  after(sentAt: number, isPersons?: boolean): Promise<Refreshed>
}

export interface RefreshOptions {
  readonly known: KnownSession
  /** Calls the refresh route. */
  readonly request: (mirror: MirrorState) => Promise<ServerAnswer<SessionTimes>>
  /** Runs it while no other tab, and not the worker, refreshes. */
  readonly turn: <T>(work: () => Promise<T>) => Promise<T>
  readonly now: () => number
}

/** A cookie is near its end when less than this is left of it, or less than a tenth of a short life. */
const nearEndMilliseconds = 60_000
const nearEndShare = 0.1
/** The pause after a failed refresh. Until it is over requests go out with the cookie as it is. */
const failurePauseMilliseconds = 5000
/** The longest wait for a refresh while the present cookie is still good: a slow server must not hold up requests. */
const goodCookieWaitMilliseconds = 1000

const fresh: Refreshed = { kind: 'fresh' }
const failed: Refreshed = { kind: 'failed' }

export function createRefresh({ known, request, turn, now }: RefreshOptions): Refresh {
  let failedAt = Number.NEGATIVE_INFINITY
  /** How long the server wants to be left alone after that. */
  let askedMilliseconds = 0
  let running: Promise<Refreshed> | undefined

  /** Only a promise shared by callers of the same moment; the stored state is what makes it single. */
  function once(isDone: () => boolean): Promise<Refreshed> {
    running ??= turn(() => refresh(isDone)).finally(() => {
      running = undefined
    })
    return running
  }

  async function refresh(isDone: () => boolean): Promise<Refreshed> {
    await known.reload()
    if (isDone()) return fresh
    const answer = await request(known.document)
    if (answer.kind === 'message') {
      const { message } = answer
      if (message.epoch === null) return { kind: 'over', code: 'ended' }
      await known.change((document) => noteRefresh(document, message, now()))
      return fresh
    }
    if (answer.kind === 'problem') {
      const { code } = answer
      if (goneCodes.includes(code)) return { kind: 'over', code }
      // A page that nobody had opened yet: once it is opened, nothing speaks against it any more.
      if (code === 'speculative') return failed
    }
    failedAt = now()
    askedMilliseconds = answer.retryAfterSeconds * 1000
    return failed
  }

  /** By the wall clock, which may be set back: then it is over. */
  function isWithin(milliseconds: number): boolean {
    const passed = now() - failedAt
    return passed >= 0 && passed < milliseconds
  }

  return {
    async ahead() {
      const isFresh = (): boolean => !isNearEnd(known.document, now())
      if (isFresh()) return fresh
      if (isWithin(Math.max(failurePauseMilliseconds, askedMilliseconds))) return failed
      const refreshing = once(isFresh)
      // It goes on; should it rotate the id, the old one is good for a grace time.
      if (now() >= known.document.freshUntil) return refreshing
      return Promise.race([
        refreshing,
        new Promise<Refreshed>((resolve) => setTimeout(resolve, goodCookieWaitMilliseconds, failed)),
      ])
    },
    async after(sentAt, isPersons = false) {
      if (!isPersons && isWithin(askedMilliseconds)) return failed
      // One that is under way may be for another reason, and find nothing to do.
      await running
      return once(() => known.document.refreshedAt > sentAt)
    },
  }
}

interface Times {
  readonly epoch: unknown
  readonly notedAt: number
  readonly freshUntil: number
}

/** Without a session there is nothing to refresh. A clock that was set back makes the cookie look near its end. */
export function isNearEnd({ epoch, notedAt, freshUntil }: Times, now: number): boolean {
  if (epoch === null) return false
  const wanted = Math.min(nearEndMilliseconds, (freshUntil - notedAt) * nearEndShare)
  return now > freshUntil - wanted || now < notedAt
}
