// The sync loop: sends what is pending, takes what is new, and says how that went. Any tab or the worker may
// run it; the lock saves double work, exactly-once makes it harmless.
import type { Hint } from '../tabs/channel.ts'
import { withLock } from '../tabs/lock.ts'
import { QuietMirror } from '../tabs/quiet-mirror.ts'
import type { TabMirror } from '../tabs/tab-mirror.ts'
import { type Contact, Pass, type PassOptions, type PassResult, type Turn, type WantedNews } from './pass.ts'

export interface SyncOptions extends Omit<PassOptions, 'mirror' | 'mayWait'> {
  readonly mirror: TabMirror
  /** The name of the lock that lets one tab at a time sync. */
  readonly lock: string
  /** Told after each pass how it went. */
  readonly onContact: (contact: Contact) => void
  /** A pass failed and wants to be repeated after so many milliseconds. */
  readonly onRetry: (milliseconds: number) => void
}

/** What a pass still has to ask for, by the time that it runs. */
export type NewsWish = () => WantedNews

/**
 * On whose account: `person` goes through at once; `sign` (the page comes back, the network does) waits where the server has said
 * how long; `write` waits for the next try in any case, because each of many writes would be one.
 */
export type Urgency = 'person' | 'sign' | 'write'

export interface Sync {
  /**
   * Sends all pending changes, and asks for what `wish` still says once it is this pass's turn: another tab may
   * have brought the news meanwhile. Never rejects. One that has to wait resolves with how the last one went.
   * @param urgency @default 'sign'
   */
  run(wish: NewsWish, urgency?: Urgency): Promise<Contact>
  /** From now on nothing is sent any more. */
  close(): void
  isClosed(): boolean
}

export const sendOnly: NewsWish = () => 'nothing'
export const askForNews: NewsWish = () => 'pull'

/** What a hint leaves to be asked. Another epoch: what is unsent belongs to a session that is gone, so the whole mirror. */
export function wantedAfter(hint: Hint, { epoch, revision }: Hint): WantedNews {
  if (hint.epoch !== epoch) return 'whole'
  return hint.revision > revision ? 'pull' : 'nothing'
}

/** The first pause after a failure. Each further failure doubles it. */
const firstBackOffMilliseconds = 500
/** The longest pause that the browser takes by itself. */
const longestBackOffMilliseconds = 60_000
/** Between two looks whether the cookie of a sign-in has arrived, and how many there are. */
const newCookieMilliseconds = 250
const mostWaits = 12
/** No rest is longer: a clock that was set back makes it look so. */
const longestPauseMilliseconds = 3_600_000

/** The sync loop of one page. */
export function createSync(options: SyncOptions): Sync {
  const { mirror, lock, onContact, onRetry } = options
  const quiet = new QuietMirror(mirror)
  // Foreign code runs between two rounds, when another tab may have its turn.
  const turn: Turn = (round) => withLock(lock, round).finally(() => mirror.calls.release())
  let failures = 0
  let waits = 0
  let last: Contact = 'none'
  /** The last failure: until when it is rested, and whether the server has asked for that. */
  let rest: { readonly contact: Contact; readonly until: number; readonly isAsked: boolean } | undefined
  let isClosed = false

  function finish({ contact, retryAfterSeconds }: PassResult): Contact {
    rest = undefined
    if (contact === 'replaced') {
      waits++
      onRetry(newCookieMilliseconds)
      return last
    }
    waits = 0
    last = contact
    if (contact === 'live') failures = 0
    else {
      const pause = pauseMilliseconds(failures++, retryAfterSeconds)
      rest = { contact, until: Date.now() + pause, isAsked: retryAfterSeconds > 0 }
      onRetry(pause)
    }
    onContact(contact)
    return contact
  }

  /** How the last one went, for whom it is too early. A clock that was set back must not make it later. */
  function resting(urgency: Urgency): Contact | undefined {
    if (rest === undefined || urgency === 'person') return undefined
    const left = rest.until - Date.now()
    if (left <= 0 || left > longestPauseMilliseconds || !(rest.isAsked || urgency === 'write'))
      return undefined
    onRetry(left)
    return rest.contact
  }

  const mayWait = (): boolean => waits < mostWaits
  const loop = oneAtATime(async (wish) =>
    isClosed ? 'none' : finish(await new Pass({ ...options, mirror: quiet, mayWait }).run(wish, turn)),
  )
  return {
    async run(wish, urgency = 'sign') {
      return isClosed ? 'none' : (resting(urgency) ?? loop(wish))
    },
    close() {
      isClosed = true
    },
    isClosed: () => isClosed,
  }
}

/** Jitter, so that a thousand browsers do not come back in the same moment. */
function pauseMilliseconds(failures: number, retryAfterSeconds: number): number {
  const backOff = Math.min(longestBackOffMilliseconds, firstBackOffMilliseconds * 2 ** failures)
  return Math.max(retryAfterSeconds * 1000, backOff * (0.75 + Math.random() / 2))
}

/** The pass that is under way may have looked already: one more follows it, for all who ask meanwhile. */
function oneAtATime(work: (wish: NewsWish) => Promise<Contact>): (wish: NewsWish) => Promise<Contact> {
  let running: Promise<Contact> | undefined
  let queued: Promise<Contact> | undefined
  let asked: NewsWish[] = []

  function start(wish: NewsWish): Promise<Contact> {
    running = work(wish).finally(() => {
      running = undefined
    })
    return running
  }

  return (wish) => {
    if (running === undefined) return start(wish)
    asked.push(wish)
    queued ??= running.then(() => {
      const all = asked
      queued = undefined
      asked = []
      return start(() => strongest(all.map((one) => one())))
    })
    return queued
  }
}

function strongest(all: readonly WantedNews[]): WantedNews {
  if (all.includes('whole')) return 'whole'
  return all.includes('pull') ? 'pull' : 'nothing'
}
