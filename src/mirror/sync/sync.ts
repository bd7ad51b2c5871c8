// The sync loop: sends what is pending, takes what is new, and says how that went. Any tab or the worker may
// run it; the lock saves double work, exactly-once makes it harmless.
import type { SessionErrorCode } from '../../protocol/errors.ts'
import type { MirrorMessage } from '../../protocol/messages.ts'
import type { Hint } from '../tabs/channel.ts'
import { type Answered, type SentRequest, adoptAnswer, endAnswered } from './handover.ts'
import { type PendingSignOut, namedBy, over, signedOutBy } from '../steps/sign-out.ts'
import { type Ending, type SealedBatch, isBlank } from '../steps/local-state.ts'
import { withLock } from '../tabs/lock.ts'
import type { TabMirror } from '../tabs/tab-mirror.ts'
import { fork, sealBatch, settle } from '../steps/outbox.ts'
import type { Refresh } from './refresh.ts'
import type { ServerAnswer } from '../wire/send.ts'
import type { Transport } from '../wire/transport.ts'

/** How the last contact with the server went. */
export type Contact = 'none' | 'live' | 'offline' | 'unavailable' | 'refused'

export interface SyncOptions {
  readonly mirror: TabMirror
  readonly transport: Transport
  readonly refresh: Refresh
  readonly lock: string
  readonly now: () => number
  readonly onParked?: Answered['onParked']
  readonly onDiscarded?: Answered['onDiscarded']
  readonly onContact: (contact: Contact) => void
  /** A pass failed and wants to be repeated after so many milliseconds. */
  readonly onRetry: (milliseconds: number) => void
}

export interface Sync {
  /**
   * Sends all pending changes, and asks for what `wants` still says once it is this pass's turn: another tab may
   * have brought the news meanwhile. Never rejects.
   */
  run(wants: Wish): Promise<Contact>
}

/** `pull` asks for news, unless a batch brings them anyway; `whole` for the whole mirror, before any batch. */
export type Wants = 'nothing' | 'pull' | 'whole'
export type Wish = () => Wants
export const sendOnly: Wish = () => 'nothing'
export const askForNews: Wish = () => 'pull'

/** Another epoch: whatever is unsent belongs to a session that is gone, so the whole mirror comes first. */
export function wantsAfter(hint: Hint, { epoch, revision }: Hint): Wants {
  if (hint.epoch !== epoch) return 'whole'
  return hint.revision > revision ? 'pull' : 'nothing'
}

type Step =
  | { readonly next: 'done' | Wants; readonly isProgress?: boolean }
  | { readonly next: 'stop'; readonly contact: Contact; readonly retryAfterSeconds: number }

const busy: readonly SessionErrorCode[] = ['store-unavailable', 'contention', 'clients-full']
/** Rounds of one pass that get nowhere: more of them means a server that never agrees. */
const patience = 4
/** What a server may ask for at most, in seconds; a timer of more than 24.8 days would fire at once. */
const longestRetryAfter = 3600

export function createSync(options: SyncOptions): Sync {
  const { mirror, transport, refresh, now, onParked, onDiscarded } = options

  async function pass(wish: Wish): Promise<Contact> {
    await mirror.reload()
    let wants = wish()
    for (let vain = 0; vain < patience; vain++) {
      const step = await advance(wants)
      if (step.next === 'stop') return stop(step.contact, step.retryAfterSeconds)
      if (step.next === 'done') return done()
      if (step.isProgress === true) vain = 0
      wants = step.next
    }
    return stop('refused', 60)
  }

  /** One request to the server, and what it means. */
  async function advance(wants: Wants): Promise<Step> {
    const { pendingSignOut } = mirror
    if (pendingSignOut !== undefined) return signOut(pendingSignOut)
    const refreshed = await refresh.ahead()
    if (refreshed.kind === 'over') return confirm(refreshed.code)
    // A batch brings the news back with it; but who is here comes before anything is sent for them.
    const isWhole = wants === 'whole' || isBlank(mirror.document)
    const isPull = isWhole || (wants === 'pull' && mirror.pending.length === 0)
    const sent = isPull ? speakOf(null) : await sealNext()
    if (!isPull && sent.sealed === null) return { next: 'done' }
    const sentAt = now()
    const answer =
      sent.sealed === null
        ? await transport.pull(sent.document, isWhole)
        : await transport.sync(sent.document, sent.sealed.text)
    return isStale(answer) ? refreshAfter(sentAt, wants) : take(answer, sent)
  }

  function speakOf(sealed: SealedBatch | null): SentRequest {
    return { document: mirror.document, sealed }
  }

  async function sealNext(): Promise<SentRequest> {
    // Strict durability is dear: nothing is written where there is nothing to seal.
    const { outbox, open } = mirror.state
    if (outbox.sealed === null && open.length > 0) await mirror.transact(sealBatch, 'strict')
    return speakOf(mirror.state.outbox.sealed)
  }

  async function take(answer: ServerAnswer<MirrorMessage>, sent: SentRequest): Promise<Step> {
    if (answer.kind === 'message') return adopt(answer.message, sent)
    const { retryAfterSeconds } = answer
    if (answer.kind === 'unreachable') return { next: 'stop', contact: answer.reason, retryAfterSeconds }
    const { code } = answer
    if (over.includes(code)) return sent.sealed === null ? end(code, sent) : confirm(code)
    if (code === 'epoch-mismatch') return { next: 'whole' }
    if (sent.sealed !== null && code === 'batch-fork') return forkBatch(sent.sealed)
    if (sent.sealed !== null && (code === 'malformed' || code === 'too-large')) return giveUp(sent.sealed)
    return { next: 'stop', contact: busy.includes(code) ? 'unavailable' : 'refused', retryAfterSeconds }
  }

  async function refreshAfter(sentAt: number, wants: Wants): Promise<Step> {
    const refreshed = await refresh.after(sentAt)
    if (refreshed.kind === 'over') return confirm(refreshed.code)
    if (refreshed.kind === 'failed') return { next: 'stop', contact: 'unavailable', retryAfterSeconds: 0 }
    return { next: wants }
  }

  /**
   * Something said that the session is over. It may have been the late answer to a cookie that has been replaced
   * since, so a pull asks once more; a cookie that is still stale then is the one that was meant.
   */
  async function confirm(code: SessionErrorCode): Promise<Step> {
    const sent = speakOf(null)
    const answer = await transport.pull(sent.document, true)
    return isStale(answer) ? end(code, sent) : take(answer, sent)
  }

  async function adopt(message: MirrorMessage, sent: SentRequest): Promise<Step> {
    const result = await adoptAnswer(mirror, message, { sent, now, onParked, onDiscarded })
    if (result === 'gap') return { next: 'whole' }
    if (result === 'outdated') return { next: 'pull' }
    return { next: 'nothing', isProgress: sent.sealed !== null }
  }

  async function end(code: SessionErrorCode, sent: SentRequest): Promise<Step> {
    const how = toEnding(code, Object.keys(sent.document.keys))
    await endAnswered(mirror, how, { sent, now, onParked, onDiscarded })
    return { next: 'nothing' }
  }

  async function signOut(wanted: PendingSignOut): Promise<Step> {
    const answer = await transport.signOut(namedBy(wanted.leaving), wanted.isEverywhere)
    const left = signedOutBy(wanted, answer)
    if (left === undefined) return take(answer, speakOf(null))
    await mirror.transact(left)
    return { next: 'pull' }
  }

  async function forkBatch(sealed: SealedBatch): Promise<Step> {
    await mirror.transact((state) => fork(state, sealed), 'strict')
    return { next: 'nothing' }
  }

  /** The server will never take this batch: its writers are told, and the outbox moves on. */
  async function giveUp(sealed: SealedBatch): Promise<Step> {
    const outcomes = sealed.mutations.map(() => ({ code: 'too-large' }) as const)
    await mirror.transact((state) => settle(state, sealed, { outcomes, keys: {} }))
    return { next: 'pull' }
  }

  let failures = 0
  function stop(contact: Contact, retryAfterSeconds: number): Contact {
    options.onContact(contact)
    // Jitter, so that a thousand browsers do not come back in the same moment.
    const backOff = Math.min(60_000, 500 * 2 ** failures++) * (0.75 + Math.random() / 2)
    options.onRetry(Math.max(Math.min(retryAfterSeconds, longestRetryAfter) * 1000, backOff))
    return contact
  }

  function done(): Contact {
    failures = 0
    options.onContact('live')
    return 'live'
  }

  return oneAtATime((wish) => withLock(options.lock, () => pass(wish)))
}

/** The pass that is under way may have looked already: one more follows it, for all who ask meanwhile. */
function oneAtATime(work: (wish: Wish) => Promise<Contact>): Sync {
  let running: Promise<Contact> | undefined
  let queued: Promise<Contact> | undefined
  let asked: Wish[] = []

  function start(wish: Wish): Promise<Contact> {
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

function strongest(all: readonly Wants[]): Wants {
  if (all.includes('whole')) return 'whole'
  return all.includes('pull') ? 'pull' : 'nothing'
}

function isStale(answer: ServerAnswer<MirrorMessage>): boolean {
  return answer.kind === 'problem' && answer.code === 'stale'
}

function toEnding(code: SessionErrorCode, keys: readonly string[]): Ending {
  if (code === 'lost') return { state: 'lost', keys: keys.toSorted() }
  return { state: 'signed-out', reason: code === 'expired' || code === 'reuse' ? code : 'ended' }
}
