// What a rendered page carries of its session, so that the browser's SDK shows it without a request. The same message as that of
// `GET /session`, with the same keys left out, as text that cannot end the element that holds it.
import type { EmbeddedSession, MirrorMessage } from '../../protocol/messages.ts'
import { embeddedId, format } from '../../protocol/names.ts'
import { emptyMessage, messageOf, patchOf } from './patch.ts'
import type { Placed } from '../codec/record.ts'
import { type Core, now } from '../core/core.ts'

/** What a request knows of its session. */
export interface EmbeddedState {
  /** Until when the cookie is fresh that the browser has, in seconds since 1970; undefined for a new one. */
  readonly freshUntil: number | undefined
  /** The session as it is stored; undefined: there is none. */
  readonly present: Placed | undefined
}

/** The element, ready to be put into HTML. */
export function embeddedElement(core: Core, state: EmbeddedState): string {
  const embedded: EmbeddedSession = { format, at: core.clock(), message: messageFor(core, state) }
  const text = JSON.stringify(embedded).replaceAll(/[<>&\u2028\u2029]/g, escaped)
  return `<script type="application/json" id="${embeddedId(core.base)}">${text}</script>`
}

function messageFor(core: Core, { freshUntil, present }: EmbeddedState): MirrorMessage {
  if (present === undefined) return emptyMessage()
  const { record } = present
  const { times, schema, ring } = core
  const freshIn = freshUntil === undefined ? times.freshSeconds : freshUntil - now(core)
  const expiresIn = Math.min(times.idleTimeoutSeconds, record.expires - now(core))
  const left = { freshIn: Math.max(0, freshIn), expiresIn: Math.max(0, expiresIn) }
  return messageOf(patchOf(record, undefined, schema), { ...left, persistent: record.persistent }, ring)
}

/** JSON has these only inside of texts, where each may be written by its number. */
function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
