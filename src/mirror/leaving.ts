// A sign-out that the server has not confirmed: what `leaving` may say beside the epoch of the session that is left,
// and what an answer makes of it.
import type { SessionErrorCode } from '../protocol/errors.ts'
import type { Epoch } from '../protocol/state.ts'
import type { LocalState } from './local.ts'
import type { Answer } from './send.ts'
import { changedMirror } from './snapshot.ts'

/**
 * Stands in `leaving` for "take note that this session is lost". It is no session's epoch, so a sign-out that
 * carries it can never end a live one; nor can an app request that carries it read one.
 */
export const acknowledgement = 'acknowledge' as Epoch
/** Stands in `leaving` for "whatever session the cookie names", when this browser has not been told which. */
export const anySession = 'any-session' as Epoch

/** A sign-out as the server is asked for it: the session by its epoch, or null for whichever the cookie names. */
export interface Leave {
  readonly leaving: Epoch
  readonly epoch: Epoch | null
  readonly isEverywhere: boolean
}

/** Undefined when no sign-out is waiting. */
export function leaveOf({ mirror: { leaving, everywhere } }: LocalState): Leave | undefined {
  if (leaving === null) return undefined
  return { leaving, epoch: leaving === anySession ? null : leaving, isEverywhere: everywhere === 'wanted' }
}

/** The step after the server's answer; undefined when it has not heard of it. */
export function leftAfter(
  { leaving, isEverywhere }: Leave,
  answer: Answer<unknown>,
): ((state: LocalState) => LocalState) | undefined {
  const isDone = answer.kind === 'message'
  const isLeft = isDone || (answer.kind === 'problem' && isGone(answer.code))
  // It did not end any session: this one has to be ended alone.
  const isBeyond = answer.kind === 'problem' && answer.code === 'unsupported'
  if (!isLeft && !isBeyond) return undefined
  return (state) => {
    if (state.mirror.leaving !== leaving) return state
    // A session that is over already cannot say whose others to end; nor can a store that keeps no lists. Nor is that
    // done which another tab asked for while this was on its way.
    const everywhere = state.mirror.everywhere && (isDone && isEverywhere ? 'done' : 'refused')
    return { ...state, mirror: changedMirror(state.mirror, { leaving: isLeft ? null : leaving, everywhere }) }
  }
}

function isGone(code: SessionErrorCode): boolean {
  return over.includes(code) || code === 'epoch-mismatch'
}

/** What a server says of a session that is no more. */
export const over: readonly SessionErrorCode[] = ['expired', 'ended', 'reuse', 'lost']
