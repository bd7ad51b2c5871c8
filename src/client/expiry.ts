// The end of the session as people meet it: a warning before it, and staying by being active. What the estimate says is asked
// of the server, not believed.
import type { TabMirror } from '../mirror/tabs/tab-mirror.ts'
import { endOverdue } from './browser-run.ts'
import type { Emitter } from './events.ts'
import { leftOf, marginOf, noteExpiry, steadyDate } from './expiry-estimate.ts'

export interface ExpiryOptions {
  readonly mirror: TabMirror
  /** Wall clock, milliseconds. */
  readonly now: () => number
  /** Seconds before the end at which `expiring` is told. */
  readonly warnSeconds: number
  /** Whether what a person does in the page keeps the session. */
  readonly keepAlive: 'activity' | 'requests'
  readonly emit: Emitter['emit']
  /** Refreshes the session now. */
  readonly extend: () => Promise<unknown>
  /** Asks the server whether it is over. */
  readonly pull: () => Promise<unknown>
  /** For how long after its end a session is shown without a network. */
  readonly offlineSeconds: number | undefined
}

export interface Expiry {
  /** When the session ends by the estimate, the same Date until that changes by a second; null without a session. */
  at(): Date | null
  close(): void
}

/** A timer of more than 24.8 days fires at once, and one that was set before a sleep is late by as much. */
const longestTimerMilliseconds = 60_000
/** Activity extends the session when this share of the time is over that it had after the last answer. */
const activityShare = 0.25

export function createExpiry(options: ExpiryOptions): Expiry {
  const { mirror, now, emit, extend, pull } = options
  const warnMilliseconds = options.warnSeconds * 1000
  const listening = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  let noted = noteExpiry(mirror.document, now())
  let [isWarned, isAsked] = [false, false]
  const steady = steadyDate()
  let told: Date | null = null

  const left = (): number | null => (mirror.epoch === null ? null : leftOf(noted, now()))

  function at(): Date | null {
    const remaining = left()
    return steady(remaining === null ? null : now() + remaining)
  }

  function schedule(): void {
    clearTimeout(timer)
    const shown = at()
    if (shown !== told) emit('expiresAt', (told = shown))
    const remaining = left()
    if (remaining === null) return
    const wait = isWarned ? remaining + marginOf(mirror.document) : remaining - warnMilliseconds
    timer = setTimeout(check, Math.min(longestTimerMilliseconds, Math.max(1000, wait)))
    // Node (tests, server rendering) would be kept alive; a browser's timer is a number.
    ;(timer as { readonly unref?: () => void }).unref?.()
  }

  function check(): void {
    const remaining = left()
    if (remaining !== null && remaining <= warnMilliseconds && !isWarned) {
      isWarned = true
      emit('expiring', { secondsLeft: Math.max(0, Math.round(remaining / 1000)) })
    }
    if (remaining !== null && remaining < -marginOf(mirror.document) && !isAsked) {
      isAsked = true
      void pull()
    }
    if (isAsked) void endOverdue(options)
    schedule()
  }

  function isDue(): boolean {
    const remaining = left()
    return remaining !== null && remaining < noted.span * (1 - activityShare)
  }

  const stopChanges = mirror.onChange(({ mirror: next }, { mirror: last }) => {
    if (next.notedAt === last.notedAt && next.expiresAt === last.expiresAt && next.epoch === last.epoch)
      return
    noted = noteExpiry(mirror.document, now())
    isWarned = false
    isAsked = false
    schedule()
  })
  if (options.keepAlive === 'activity') hearActivity(isDue, extend, listening.signal)
  schedule()

  return {
    at,
    close() {
      stopChanges()
      listening.abort()
      clearTimeout(timer)
    },
  }
}

/** Calls `extend`, one at a time, when a person does something and it is due. */
function hearActivity(isDue: () => boolean, extend: () => Promise<unknown>, signal: AbortSignal): void {
  if (typeof document === 'undefined') return
  let isExtending = false
  const onActivity = (): void => {
    if (!isDue() || isExtending || document.visibilityState === 'hidden') return
    isExtending = true
    void extend().finally(() => {
      isExtending = false
    })
  }
  for (const name of ['pointerdown', 'keydown', 'wheel', 'visibilitychange'])
    document.addEventListener(name, onActivity, { signal, passive: true })
}
