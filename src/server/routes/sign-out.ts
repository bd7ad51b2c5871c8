// `DELETE /session`: the tombstone first, then the cookie. `?everywhere=1` ends all sessions of the owner,
// `?others=1` all but this one. Repeated: the same answer.
import { SessionError } from '../../protocol/errors.ts'
import { headers } from '../../protocol/names.ts'
import { answerFrom } from './answers.ts'
import { type LiveSession, type Loaded, type Loading, loadSession } from '../lifecycle/load.ts'
import { emptyMessage } from '../changes/patch.ts'
import { endSession } from '../lifecycle/relocate.ts'
import { wantsRenewal } from '../lifecycle/renew.ts'
import type { CoreRequest } from '../http/request.ts'
import { type CoreAnswer, type Header, messageAnswer } from '../http/respond.ts'
import { storeEnd } from '../lifecycle/save.ts'

type Scope = 'here' | 'everywhere' | 'others'

export async function signOut(tools: Loading, request: CoreRequest): Promise<CoreAnswer> {
  const scope = parseScope(request.url)
  const { core, owners } = tools
  const loaded = await loadSession(tools, request)
  if (loaded.state === 'live') checkMeant(request, loaded)
  if (scope === 'others') return endOthers(tools, request, loaded)
  if (loaded.state === 'live') {
    const place = loaded.places[0] ?? loaded.place
    await storeEnd(
      { core, owners },
      { place, owner: loaded.record.owner, isEverywhere: scope === 'everywhere' },
    )
    return goodbye([['set-cookie', core.jar.clearing(request)]])
  } else if (loaded.state === 'dead') {
    // Whose it was is not known any more: what cannot be kept is not promised.
    if (scope === 'everywhere' && loaded.endReason !== 'everywhere') throw new SessionError(loaded.reason)
    // Takes note of a loss: from now on the session is not lost but ended.
    if (loaded.place !== undefined) await endSession(core, loaded.place, 'signed-out')
  }
  // A dead cookie stays where it is: this answer may come after that of a new sign-in.
  return goodbye()
}

async function endOthers(
  { core, owners }: Loading,
  request: CoreRequest,
  loaded: Loaded,
): Promise<CoreAnswer> {
  if (loaded.state === 'dead') throw new SessionError(loaded.reason)
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

/** @throws SessionError `epoch-mismatch` when the browser means another session than its cookie names */
function checkMeant(request: CoreRequest, { record }: LiveSession): void {
  const wanted = request.header(headers.epoch)
  if (wanted !== undefined && wanted !== record.epoch) throw new SessionError('epoch-mismatch')
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
