// One pass of the sync loop: request after request, until nothing is left to send or to ask for, or the server cannot be
// had. Owns what each answer means.
import type { SessionErrorCode } from '../../protocol/errors.ts'
import type { MirrorMessage } from '../../protocol/messages.ts'
import { type Ending, type SealedBatch, isBlank } from '../steps/local-state.ts'
import { fork, sealBatch, settle } from '../steps/outbox.ts'
import { type PendingSignOut, goneCodes, namedBy, signedOutBy } from '../steps/sign-out.ts'
import type { SyncedMirror } from '../tabs/quiet-mirror.ts'
import type { ServerAnswer } from '../wire/send.ts'
import type { Transport } from '../wire/transport.ts'
import { type HandoverOptions, type SentRequest, adoptAnswer, endAnswered } from './handover.ts'
import type { Refresh } from './refresh.ts'

/** How the last contact with the server went. */
export type Contact = 'none' | 'live' | 'offline' | 'unavailable' | 'refused'

/** `pull` asks for news, unless a batch brings them anyway; `whole` for the whole mirror, before any batch. */
export type WantedNews = 'nothing' | 'pull' | 'whole'

export interface PassOptions extends HandoverOptions {
  readonly mirror: SyncedMirror
  /** Whether a session that was replaced a moment ago may be waited for, once more. */
  readonly mayWait: () => boolean
  readonly transport: Transport
  readonly refresh: Refresh
}

/** Runs one round while no other tab has one. */
export type Turn = <T>(round: () => Promise<T>) => Promise<T>

/**
 * How a pass ended, and after how many seconds the server may be asked again. `replaced`: nothing is known, because the session was
 * replaced a moment ago, and the cookie of the new one is on its way to this browser.
 */
export interface PassResult {
  readonly contact: Contact | 'replaced'
  readonly retryAfterSeconds: number
}

type Next =
  | { readonly kind: 'done' }
  /** Another round. One that made progress may be followed by any number of others. */
  | { readonly kind: 'again'; readonly wants: WantedNews; readonly isProgress?: boolean }
  | ({ readonly kind: 'stop' } & PassResult)

/** Rounds of one pass that get nowhere: more of them means a server that never agrees. */
const roundsInVain = 4
/** Seconds until a server that never agrees is asked again. */
const disagreementSeconds = 60
/** The server is there, and has no room or no store just now. */
const busyCodes: readonly SessionErrorCode[] = [
  'store-unavailable',
  'contention',
  'clients-full',
  'anonymous-full',
  'speculative',
]
/** Seconds until a server is asked again that does not understand us: it, or what stands before it, is set up wrongly. */
const setUpSeconds = 60

const done: Next = { kind: 'done' }
const again = (wants: WantedNews): Next => ({ kind: 'again', wants })

export class Pass {
  readonly #mirror: SyncedMirror
  readonly #options: PassOptions

  constructor(options: PassOptions) {
    this.#mirror = options.mirror
    this.#options = options
  }

  /** Never rejects. */
  async run(wantedNow: () => WantedNews, turn: Turn): Promise<PassResult> {
    let wants: WantedNews | undefined
    const round = async (): Promise<Next> => {
      if (wants === undefined) await this.#mirror.reload()
      return this.#advance((wants ??= wantedNow()))
    }
    for (let vain = 0; vain < roundsInVain; vain++) {
      // oxlint-disable-next-line no-await-in-loop -- what a round asks for depends on what the one before has changed
      const next = await turn(round)
      if (next.kind === 'stop') return next
      if (next.kind === 'done') return { contact: 'live', retryAfterSeconds: 0 }
      if (next.isProgress === true) vain = 0
      wants = next.wants
    }
    return { contact: 'refused', retryAfterSeconds: disagreementSeconds }
  }

  /** One request to the server, and what its answer means. */
  async #advance(wants: WantedNews): Promise<Next> {
    const mirror = this.#mirror
    const { transport, refresh, now } = this.#options
    const { pendingSignOut } = mirror
    if (pendingSignOut !== undefined) return this.#signOut(pendingSignOut)
    const refreshed = await refresh.ahead()
    if (refreshed.kind === 'over') return this.#confirm(refreshed.code)
    // A batch brings the news back with it; but who is here comes before anything is sent for them.
    const isWhole = wants === 'whole' || isBlank(mirror.document)
    const isPull = isWhole || (wants === 'pull' && mirror.pending.length === 0)
    const sent = isPull ? this.#about(null) : await this.#sealNext()
    if (!isPull && sent.sealed === null) return done
    const sentAt = now()
    const answer =
      sent.sealed === null
        ? await transport.pull(sent.document, isWhole)
        : await transport.sync(sent.document, sent.sealed.text)
    return isStale(answer) ? this.#refreshAfter(sentAt, wants) : this.#take(answer, sent)
  }

  #about(sealed: SealedBatch | null): SentRequest {
    return { document: this.#mirror.document, sealed }
  }

  async #sealNext(): Promise<SentRequest> {
    const mirror = this.#mirror
    // Strict durability is dear: nothing is written where there is nothing to seal.
    const { outbox, open } = mirror.state
    if (outbox.sealed === null && open.length > 0) await mirror.transact(sealBatch, 'strict')
    return this.#about(mirror.state.outbox.sealed)
  }

  async #take(answer: ServerAnswer<MirrorMessage>, sent: SentRequest): Promise<Next> {
    if (answer.kind === 'message') return this.#adopt(answer.message, sent)
    const { retryAfterSeconds } = answer
    if (answer.kind === 'unreachable') return { kind: 'stop', contact: answer.reason, retryAfterSeconds }
    const { code } = answer
    // Not an end: nothing is wiped, parked or told.
    if (code === 'ended' && retryAfterSeconds > 0 && this.#options.mayWait())
      return { kind: 'stop', contact: 'replaced', retryAfterSeconds: 0 }
    if (goneCodes.includes(code)) return sent.sealed === null ? this.#end(code, sent) : this.#confirm(code)
    if (code === 'epoch-mismatch') return again('whole')
    if (sent.sealed !== null && code === 'batch-fork') return this.#forkBatch(sent.sealed)
    if (sent.sealed !== null && code === 'too-large') return this.#giveUp(sent.sealed)
    // Nothing of ours is malformed: somebody has read the body first, or cut it. The batch waits until that is mended.
    const seconds = code === 'malformed' ? Math.max(retryAfterSeconds, setUpSeconds) : retryAfterSeconds
    // A page that nobody has opened yet: once it is, nothing speaks against it any more.
    if (code === 'speculative') return { kind: 'stop', contact: 'unavailable', retryAfterSeconds: 0 }
    const contact = busyCodes.includes(code) ? 'unavailable' : 'refused'
    return { kind: 'stop', contact, retryAfterSeconds: seconds }
  }

  async #refreshAfter(sentAt: number, wants: WantedNews): Promise<Next> {
    const refreshed = await this.#options.refresh.after(sentAt)
    if (refreshed.kind === 'over') return this.#confirm(refreshed.code)
    if (refreshed.kind === 'failed') return { kind: 'stop', contact: 'unavailable', retryAfterSeconds: 0 }
    return again(wants)
  }

  /**
   * Something said that the session is over. It may have been the late answer to a cookie that has been replaced
   * since, so a pull asks once more; a cookie that is still stale then is the one that was meant.
   */
  async #confirm(code: SessionErrorCode): Promise<Next> {
    const sent = this.#about(null)
    const answer = await this.#options.transport.pull(sent.document, true)
    return isStale(answer) ? this.#end(code, sent) : this.#take(answer, sent)
  }

  async #adopt(message: MirrorMessage, sent: SentRequest): Promise<Next> {
    const result = await adoptAnswer(this.#mirror, message, { ...this.#options, sent })
    if (result === 'gap') return again('whole')
    if (result === 'outdated') return again('pull')
    return { kind: 'again', wants: 'nothing', isProgress: sent.sealed !== null }
  }

  async #end(code: SessionErrorCode, sent: SentRequest): Promise<Next> {
    const ending = toEnding(code, Object.keys(sent.document.keys))
    await endAnswered(this.#mirror, ending, { ...this.#options, sent })
    return again('nothing')
  }

  async #signOut(wanted: PendingSignOut): Promise<Next> {
    const answer = await this.#options.transport.signOut(namedBy(wanted.leaving), wanted.isEverywhere)
    const step = signedOutBy(wanted, answer)
    if (step === undefined) return this.#take(answer, this.#about(null))
    await this.#mirror.transact(step)
    return again('pull')
  }

  async #forkBatch(sealed: SealedBatch): Promise<Next> {
    await this.#mirror.transact((state) => fork(state, sealed), 'strict')
    return again('nothing')
  }

  /** The server will never take this batch: its writers are told, and the outbox moves on. */
  async #giveUp(sealed: SealedBatch): Promise<Next> {
    const outcomes = sealed.mutations.map(() => ({ code: 'too-large' }) as const)
    await this.#mirror.transact((state) => settle(state, sealed, { outcomes, keys: {} }))
    return again('pull')
  }
}

function isStale(answer: ServerAnswer<MirrorMessage>): boolean {
  return answer.kind === 'problem' && answer.code === 'stale'
}

function toEnding(code: SessionErrorCode, keys: readonly string[]): Ending {
  if (code === 'lost') return { state: 'lost', keys: keys.toSorted() }
  return { state: 'signed-out', reason: code === 'expired' || code === 'reuse' ? code : 'ended' }
}
