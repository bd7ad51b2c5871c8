// `DELETE /session`: the tombstone first, then the cookie. `?everywhere=1` ends all sessions of the owner,
// `?others=1` all but this one. Repeated: the same answer.
import { SessionError } from '../../protocol/errors.ts'
import { headers } from '../../protocol/names.ts'
import { answerFrom } from './answers.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import { loadSession } from '../lifecycle/load.ts'
import { type Loaded, deadError } from '../lifecycle/loaded.ts'
import { emptyMessage } from '../changes/patch.ts'
import { checkEpoch } from '../core/guard.ts'
import { endSession } from '../lifecycle/relocate.ts'
import { wantsRenewal } from '../core/cookie-fate.ts'
import type { CoreRequest } from '../http/request.ts'
import { type CoreAnswer, type Header, messageAnswer } from '../http/core-answer.ts'
import { performEnd } from '../lifecycle/perform.ts'

type Scope = 'here' | 'everywhere' | 'others'

export async function signOut(lifecycle: Lifecycle, request: CoreRequest): Promise<CoreAnswer> {
  const scope = parseScope(request.url)
  const { core } = lifecycle
  const loaded = await loadSession(lifecycle, request)
  if (loaded.state === 'live') checkEpoch(request, loaded.record.epoch)
  if (scope === 'others') return endOthers(lifecycle, request, loaded)
  if (loaded.state === 'live') {
    const { places, record } = loaded
    await performEnd(lifecycle, { place: places[0], owner: record.owner }, scope)
    return goodbye([['set-cookie', core.jar.clearing(request)]])
  } else if (loaded.state === 'dead') {
    // Whose it was is not known any more: what cannot be kept is not promised.
    if (scope === 'everywhere' && loaded.endReason !== 'everywhere') throw deadError(loaded)
    // Takes note of a loss: from now on the session is not lost but ended.
    if (loaded.place !== undefined) await endSession(core, loaded.place, 'signed-out')
  }
  // A dead cookie stays where it is: this answer may come after that of a new sign-in.
  return goodbye()
}

async function endOthers(
  { core, owners }: Lifecycle,
  request: CoreRequest,
  loaded: Loaded,
): Promise<CoreAnswer> {
  if (loaded.state === 'dead') throw deadError(loaded)
  if (loaded.state === 'none') return messageAnswer(emptyMessage())
  const { record, place } = loaded
  if (record.owner !== null) {
    const except = { epoch: record.epoch, key: place.key }
    await owners.endAll(record.owner, { except, reason: 'revoked' })
  }
  const cookie = wantsRenewal(core, loaded) ? undefined : loaded.cookie
  return answerFrom(core, request, { ...loaded, cookie })
}

function goodbye(cookie: readonly Header[] = []): CoreAnswer {
  return messageAnswer(emptyMessage(), [...cookie, [headers.revision, 'none']])
}

/** @throws SessionError `malformed`: a typing error must not end less, or more, than was meant */
function parseScope(url: string): Scope {
  const query = new URLSearchParams(url.split('?')[1] ?? '')
  const names = [...query.keys()]
  const [name] = names
  if (name === undefined) return 'here'
  const isKnown = (name === 'everywhere' || name === 'others') && query.get(name) === '1'
  if (!isKnown || names.length > 1)
    throw new SessionError('malformed', 'A sign-out takes ?everywhere=1, or ?others=1, or nothing.')
  return name
}
