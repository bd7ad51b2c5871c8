// The session routes as a page calls them.
import {
  type MirrorMessage,
  type SessionTimes,
  parseMirrorMessage,
  parseSessionTimes,
} from '../protocol/messages.ts'
import { headers, routesOf } from '../protocol/names.ts'
import type { Epoch, Mirror } from '../protocol/state.ts'
import { type Answer, type SendOptions, absolute, post, send } from './send.ts'

export interface Transport {
  /** The mirror since our revision; `whole` asks for all of it. */
  pull(mirror: Mirror, whole: boolean): Promise<Answer<MirrorMessage>>
  sync(mirror: Mirror, batch: string): Promise<Answer<MirrorMessage>>
  refresh(mirror: Mirror): Promise<Answer<SessionTimes>>
  /**
   * Ends the session `epoch`, and only that one: a newer sign-in in the same browser stays. Null ends whichever
   * session the cookie names. `isEverywhere`: and all others of its owner.
   */
  signOut(epoch: Epoch | null, isEverywhere: boolean): Promise<Answer<MirrorMessage>>
  /** Ends all other sessions of the owner of `epoch`. */
  endOthers(epoch: Epoch): Promise<Answer<MirrorMessage>>
}

/** The routes below `base`, for example `/session`. */
export function createTransport(base: string, how: Omit<SendOptions<MirrorMessage>, 'parse'>): Transport {
  const options = { ...how, parse: parseMirrorMessage }
  const routes = routesOf(absolute(base))
  const end = (query: string, epoch: Epoch | null): Promise<Answer<MirrorMessage>> => {
    const own = epoch === null ? {} : { [headers.epoch]: epoch }
    return send(routes.mirror + query, { method: 'DELETE', keepalive: true, headers: own }, options)
  }
  return {
    pull: (mirror, whole) => send(routes.mirror + (whole ? '' : queryOf(mirror)), { method: 'GET' }, options),
    sync: (mirror, batch) => post(routes.sync, { mirror, batch }, options),
    refresh: (mirror) => post(routes.refresh, { mirror }, { ...how, parse: parseSessionTimes }),
    signOut: (epoch, isEverywhere) => end(isEverywhere ? '?everywhere=1' : '', epoch),
    endOthers: (epoch) => end('?others=1', epoch),
  }
}

function queryOf({ epoch, revision }: Mirror): string {
  return epoch === null ? '' : `?since=${revision}&epoch=${epoch}`
}
