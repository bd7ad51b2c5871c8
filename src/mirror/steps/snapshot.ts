// The mirror document as pure steps: adopt what the server said, note a refresh, wipe. Owns the rule that
// nothing of one owner stays when another one, or nobody, takes over.
import type { MirrorMessage, SessionTimes } from '../../protocol/messages.ts'
import { adopt, emptyMirror } from '../../protocol/state.ts'
import { type Ending, type LocalState, type MirrorDocument, type Parcel, nextVersion } from './local-state.ts'
import { changed } from './outbox.ts'

/**
 * The state after an answer of the server, and `gap` where only the whole mirror helps. `now` is local
 * time in milliseconds. With another owner in the answer the outbox must have been parked before.
 */
export function adoptMessage(state: LocalState, message: MirrorMessage, now: number): LocalState | 'gap' {
  const adopted = adopt(state.mirror, message)
  if (adopted === 'gap') return 'gap'
  const ending = message.epoch === null ? endingOf(state.mirror) : null
  return { ...state, mirror: changedMirror(state.mirror, { ...adopted, ending, ...timesOf(message, now) }) }
}

/** Takes over the times of an answer to a refresh, and nothing else of it. */
export function noteRefresh(document: MirrorDocument, message: SessionTimes, now: number): MirrorDocument {
  if (message.epoch !== document.epoch) return document
  return changedMirror(document, { ...timesOf(message, now), refreshedAt: now })
}

/** Wipes what belonged to the session that ended. The outbox must have been parked or given up before. */
export function wipeMirror(state: LocalState, ending: Ending): LocalState {
  const times = { notedAt: 0, refreshedAt: 0, freshUntil: 0, expiresAt: 0 }
  const life = state.mirror.life + 1
  return {
    ...state,
    mirror: changedMirror(state.mirror, { ...emptyMirror, ending, life, ...times, parking: null }),
  }
}

/** Empties the outbox, and adds the parcel that holds it, if any. Writes whose owner is not known yet stay. */
export function clearOutbox(state: LocalState, parcel?: Parcel): LocalState {
  const parcels = parcel === undefined ? state.parcels : [...state.parcels, parcel]
  const open = state.open.filter((entry) => entry.owner === undefined)
  return { ...state, outbox: changed(state.outbox, { sealed: null, settled: {} }), open, parcels }
}

/** How a session ended of which the server says only that there is none; what was said before stays. */
function endingOf({ epoch, ending }: MirrorDocument): Ending | null {
  return epoch === null ? ending : { state: 'signed-out', reason: 'ended' }
}

/** The document with a change, and with the next version. */
export function changedMirror(document: MirrorDocument, change: Partial<MirrorDocument>): MirrorDocument {
  return { ...document, ...change, version: nextVersion(document.version) }
}

function timesOf(message: SessionTimes, now: number): Partial<MirrorDocument> {
  return {
    notedAt: now,
    freshUntil: now + message.freshIn * 1000,
    expiresAt: now + message.expiresIn * 1000,
    parking: message.parking,
    persistent: message.persistent !== false,
  }
}
