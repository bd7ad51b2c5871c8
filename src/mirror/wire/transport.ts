// The session routes as a page calls them.
import {
  type MirrorMessage,
  type SessionTimes,
  parseMirrorMessage,
  parseSessionTimes,
} from '../../protocol/messages.ts'
import { headers, routesOf } from '../../protocol/names.ts'
import type { Epoch, MirrorState } from '../../protocol/state.ts'
import { type ServerAnswer, type SendOptions, absolute, post, send } from './send.ts'

export interface Transport {
  /** The mirror since our revision; `whole` asks for all of it. */
  pull(mirror: MirrorState, whole: boolean): Promise<ServerAnswer<MirrorMessage>>
  /** Sends a sealed batch, and brings what is new. */
  sync(mirror: MirrorState, batch: string): Promise<ServerAnswer<MirrorMessage>>
  /** Asks for a new cookie. */
  refresh(mirror: MirrorState): Promise<ServerAnswer<SessionTimes>>
  /**
   * Ends the session of this epoch, and only that one: a newer sign-in in the same browser stays. Null ends whichever
   * session the cookie names, `noSession` none. `isEverywhere`: and all others of its owner.
   */
  signOut(epoch: string | null, isEverywhere: boolean): Promise<ServerAnswer<MirrorMessage>>
  /** Ends all other sessions of the owner of `epoch`. */
  endOthers(epoch: Epoch): Promise<ServerAnswer<MirrorMessage>>
}

/** The routes below `base`, for example `/session`. */
export function createTransport(base: string, how: Omit<SendOptions<MirrorMessage>, 'parse'>): Transport {
  const options = { ...how, parse: parseMirrorMessage }
  const routes = routesOf(absolute(base))
  const end = (query: string, epoch: string | null): Promise<ServerAnswer<MirrorMessage>> => {
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

function queryOf({ epoch, revision }: MirrorState): string {
  return epoch === null ? '' : `?since=${revision}&epoch=${epoch}`
}
