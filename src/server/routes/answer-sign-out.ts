// `DELETE /session`: the tombstone first, then the cookie. `?everywhere=1` ends all sessions of the owner,
// `?others=1` all but this one. Repeated: the same answer.
import { SessionError } from '../../protocol/errors.ts'
import { headers } from '../../protocol/names.ts'
import { emptyMessage } from '../changes/patch.ts'
import { clearingHeaders } from '../core/cookie-fate.ts'
import { now } from '../core/core.ts'
import { checkEpoch } from '../core/guard.ts'
import { refusal } from '../core/refusal.ts'
import { type CoreAnswer, type Header, messageAnswer } from '../http/core-answer.ts'
import type { CoreRequest } from '../http/request.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import { loadAny } from '../lifecycle/load.ts'
import { type DeadSession, type Loaded, deadError } from '../lifecycle/loaded.ts'
import { endRivals, performEnd } from '../lifecycle/perform.ts'
import { endSession } from '../lifecycle/relocate.ts'
import { renewedState, stateAnswer } from './state-answer.ts'

/** Which sessions a sign-out ends. */
type SignOutScope = 'here' | 'everywhere' | 'others'

/**
 * @throws SessionError `malformed`, `epoch-mismatch`, `contention`, `ambiguous-cookie`, `store-unavailable`; with
 * `everywhere` or `others` the code of a session that is gone; with `others` also `sign-in-too-old`
 */
export async function answerSignOut(lifecycle: Lifecycle, request: CoreRequest): Promise<CoreAnswer> {
  const scope = parseScope(request.url)
  const { core } = lifecycle
  const loaded = await loadAny(lifecycle, request)
  if (loaded.state === 'live') checkEpoch(request, loaded.record.epoch)
  if (scope === 'others') return answerOthers(lifecycle, request, loaded)
  if (loaded.state === 'live') {
    const { places, record } = loaded
    await performEnd(lifecycle, { place: places[0], owner: record.owner }, scope)
    return signedOutAnswer(clearingHeaders(core, request))
  }
  if (loaded.state === 'dead' && loaded.rivals !== undefined) {
    await endRivals(lifecycle, loaded, scope)
    return signedOutAnswer(clearingHeaders(core, request))
  }
  if (loaded.state === 'dead') await noteEnd(lifecycle, loaded, scope)
  // A dead cookie stays where it is: this answer may come after that of a new sign-in.
  return signedOutAnswer()
}

/** Takes note of a loss: from now on the session is not lost but ended. */
async function noteEnd({ core }: Lifecycle, dead: DeadSession, scope: SignOutScope): Promise<void> {
  // The owner is unknown, so `everywhere` cannot be honoured.
  if (scope === 'everywhere' && dead.endReason !== 'everywhere') throw deadError(dead)
  if (dead.place !== undefined) await endSession(core, dead.place, 'signed-out')
}

async function answerOthers(lifecycle: Lifecycle, request: CoreRequest, before: Loaded): Promise<CoreAnswer> {
  const { core, owners } = lifecycle
  if (before.state === 'dead') throw deadError(before)
  if (before.state === 'none') return messageAnswer(emptyMessage())
  const { record, place } = before
  const { recentSignInSeconds } = core
  if (recentSignInSeconds !== undefined && now(core) - (record.signedIn ?? 0) >= recentSignInSeconds)
    throw refusal('sign-in-too-old')
  if (record.owner !== null) {
    const except = { epoch: record.epoch, key: place.key }
    await owners.endAll(record.owner, { except, reason: 'revoked' })
  }
  return stateAnswer(core, request, await renewedState(lifecycle, before, before))
}

function signedOutAnswer(cookie: readonly Header[] = []): CoreAnswer {
  return messageAnswer(emptyMessage(), [...cookie, [headers.revision, 'none']])
}

/** @throws SessionError `malformed`: a typing error must not end less, or more, than was meant */
function parseScope(url: string): SignOutScope {
  const query = new URLSearchParams(url.split('?')[1] ?? '')
  const names = [...query.keys()]
  const [name] = names
  if (name === undefined) return 'here'
  const isKnown = (name === 'everywhere' || name === 'others') && query.get(name) === '1'
  if (!isKnown || names.length > 1)
    throw new SessionError('malformed', 'A sign-out takes ?everywhere=1, or ?others=1, or nothing.')
  return name
}
