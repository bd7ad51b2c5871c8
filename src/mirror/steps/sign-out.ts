// Signing out, as pure steps: what is left to be told to the server, and what its answer makes of that.
import type { SessionErrorCode } from '../../protocol/errors.ts'
import { noSession } from '../../protocol/names.ts'
import { isEpoch } from '../../protocol/state.ts'
import type { ServerAnswer } from '../wire/send.ts'
import type { Leaving, LocalState, MirrorDocument } from './local-state.ts'
import { changedMirror, clearOutbox, wipeMirror } from './snapshot.ts'

/** A sign-out that the server has not confirmed. */
export interface PendingSignOut {
  readonly leaving: Leaving
  /** Ends all sessions of the owner. */
  readonly isEverywhere: boolean
}

export interface SignOutWish {
  /** Ends whichever session the cookie names, where the mirror knows of none. @default false */
  readonly orAny?: boolean
  /** Ends all sessions of the owner. @default false */
  readonly isEverywhere?: boolean
}

/** Gives the outbox up, wipes the mirror, and leaves the server's part to the sync loop. */
export function signOutHere(
  state: LocalState,
  { orAny = false, isEverywhere = false }: SignOutWish = {},
): LocalState {
  const { epoch, leaving, everywhere } = state.mirror
  const left = wipeMirror(clearOutbox(state), { state: 'signed-out', reason: 'signed-out' })
  // A sign-out that is already on its way stays the first thing to send.
  const unnamed: Leaving | null = leaving ?? (orAny ? { kind: 'any' } : null)
  // Another tab may have asked for more already.
  const isWanted = isEverywhere || (leaving !== null && everywhere === 'wanted')
  const change: Partial<MirrorDocument> = {
    leaving: epoch === null ? unnamed : { kind: 'session', epoch },
    everywhere: isWanted ? 'wanted' : undefined,
  }
  return { ...left, open: [], mirror: changedMirror(left.mirror, change) }
}

/** The sign-out that goes before anything else; undefined when none is waiting. */
export function pendingSignOut({ leaving, everywhere }: MirrorDocument): PendingSignOut | undefined {
  return leaving === null ? undefined : { leaving, isEverywhere: everywhere === 'wanted' }
}

/** Stored in place of an epoch for "whichever session the cookie names". */
const anySession = 'any-session'

/**
 * The sign-out as one string: so it is stored, and so two of them are compared. An epoch, or one of two words that no
 * session has as its epoch.
 */
export function leavingText(leaving: Leaving | null): string | null {
  if (leaving?.kind === 'session') return leaving.epoch
  return leaving && (leaving.kind === 'any' ? anySession : noSession)
}

/** The way back from `leavingText`; null for anything else. */
export function parseLeaving(text: unknown): Leaving | null {
  if (!isEpoch(text)) return null
  if (text === anySession) return { kind: 'any' }
  return text === noSession ? { kind: 'lost' } : { kind: 'session', epoch: text }
}

/** What `Session-Epoch` says in the request to sign out; null for nothing. */
export function namedBy(leaving: Leaving): string | null {
  return leaving.kind === 'any' ? null : leavingText(leaving)
}

/** The step after the server's answer; undefined when the server has not heard of the sign-out. */
export function signedOutBy(
  { leaving, isEverywhere }: PendingSignOut,
  answer: ServerAnswer<unknown>,
): ((state: LocalState) => LocalState) | undefined {
  const isDone = answer.kind === 'message'
  const isLeft = isDone || (answer.kind === 'problem' && isGone(answer.code))
  // It did not end any session: this one has to be ended alone.
  const isBeyond = answer.kind === 'problem' && answer.code === 'unsupported'
  if (!isLeft && !isBeyond) return undefined
  return (state) => {
    if (leavingText(state.mirror.leaving) !== leavingText(leaving)) return state
    // A session that is over already cannot say whose others to end; nor can a store that keeps no lists. Nor is that
    // done which another tab asked for while this was on its way.
    const everywhere = state.mirror.everywhere && (isDone && isEverywhere ? 'done' : 'refused')
    return { ...state, mirror: changedMirror(state.mirror, { leaving: isLeft ? null : leaving, everywhere }) }
  }
}

/** What a server says of a session that is no more. */
export const goneCodes: readonly SessionErrorCode[] = ['expired', 'ended', 'reuse', 'lost']

function isGone(code: SessionErrorCode): boolean {
  return goneCodes.includes(code) || code === 'epoch-mismatch'
}
