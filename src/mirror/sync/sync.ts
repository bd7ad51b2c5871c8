// The sync loop: sends what is pending, takes what is new, and says how that went. Any tab or the worker may
// run it; the lock saves double work, exactly-once makes it harmless.
import type { Hint } from '../tabs/channel.ts'
import { withLock } from '../tabs/lock.ts'
import { type Contact, Pass, type PassOptions, type PassResult, type WantedNews } from './pass.ts'

export interface SyncOptions extends PassOptions {
  /** The name of the lock that lets one tab at a time sync. */
  readonly lock: string
  /** Told after each pass how it went. */
  readonly onContact: (contact: Contact) => void
  /** A pass failed and wants to be repeated after so many milliseconds. */
  readonly onRetry: (milliseconds: number) => void
}

/** What a pass still has to ask for, by the time that it runs. */
export type NewsWish = () => WantedNews

export interface Sync {
  /**
   * Sends all pending changes, and asks for what `wish` still says once it is this pass's turn: another tab may
   * have brought the news meanwhile. Never rejects.
   */
  run(wish: NewsWish): Promise<Contact>
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
/** What a server may ask for at most; a timer of more than 24.8 days would fire at once. */
const longestRetryAfterSeconds = 3600

/** The sync loop of one page. */
export function createSync(options: SyncOptions): Sync {
  let failures = 0

  function finish({ contact, retryAfterSeconds }: PassResult): Contact {
    options.onContact(contact)
    if (contact === 'live') failures = 0
    else options.onRetry(pauseMilliseconds(failures++, retryAfterSeconds))
    return contact
  }

  return oneAtATime((wish) => withLock(options.lock, async () => finish(await new Pass(options).run(wish))))
}

/** Jitter, so that a thousand browsers do not come back in the same moment. */
function pauseMilliseconds(failures: number, retryAfterSeconds: number): number {
  const backOff = Math.min(longestBackOffMilliseconds, firstBackOffMilliseconds * 2 ** failures)
  const asked = Math.min(retryAfterSeconds, longestRetryAfterSeconds) * 1000
  return Math.max(asked, backOff * (0.75 + Math.random() / 2))
}

/** The pass that is under way may have looked already: one more follows it, for all who ask meanwhile. */
function oneAtATime(work: (wish: NewsWish) => Promise<Contact>): Sync {
  let running: Promise<Contact> | undefined
  let queued: Promise<Contact> | undefined
  let asked: NewsWish[] = []

  function start(wish: NewsWish): Promise<Contact> {
    running = work(wish).finally(() => {
      running = undefined
    })
    return running
  }

  return {
    run(wish) {
      if (running === undefined) return start(wish)
      asked.push(wish)
      queued ??= running.then(() => {
        const all = asked
        queued = undefined
        asked = []
        return start(() => strongest(all.map((one) => one())))
      })
      return queued
    },
  }
}

function strongest(all: readonly WantedNews[]): WantedNews {
  if (all.includes('whole')) return 'whole'
  return all.includes('pull') ? 'pull' : 'nothing'
}
