// What the server has put into the page of its session (`embed`): shown at once, and taken like an answer of the server. Never
// over something newer, and never where this browser may belong to somebody else by now.
import { parseOwnJson, isObject } from '../protocol/json.ts'
import { type MirrorMessage, parseMirrorMessage } from '../protocol/messages.ts'
import { embeddedId, format } from '../protocol/names.ts'
import { type HandoverOptions, adoptAnswer } from '../mirror/sync/handover.ts'
import type { MirrorDocument } from '../mirror/steps/local-state.ts'
import { absolute } from '../mirror/wire/send.ts'
import type { TabMirror } from '../mirror/tabs/tab-mirror.ts'

/**
 * Milliseconds for which a page is believed. An older one came out of a cache, and somebody else may be here by now; or one of the two
 * clocks is wrong, and the server is asked as ever.
 */
const believedMilliseconds = 60_000

/** Undefined when there is none that can be believed. `base` is that of the session routes. */
export function readEmbedded(base: string, now: number): MirrorMessage | undefined {
  const element = globalThis.document?.getElementById?.(embeddedId(new URL(absolute(base)).pathname))
  // People may be allowed to write elements with an id, but no scripts.
  if (element?.localName !== 'script') return undefined
  const value = parseOwnJson(element.textContent ?? '')
  if (!isObject(value) || value['format'] !== format) return undefined
  if (!(Math.abs(now - Number(value['at'])) < believedMilliseconds)) return undefined
  try {
    return parseMirrorMessage(value['message'])
  } catch {
    // Another version's, or another program's: the server is asked as ever.
    return undefined
  }
}

/** Whether there was never a session here, and none is being left: nothing that could be mixed up with what is embedded. */
export function isNobodys({ epoch, ending, leaving }: MirrorDocument): boolean {
  return epoch === null && ending === null && leaving === null
}

/**
 * Takes what is embedded into a mirror that has been read. `taken`: it is what the server would say now. `older`: the mirror has more of
 * the same session, or a sign-out is on its way. `doubt`: it is of another session than the mirror, and only the server knows which of
 * the two is over.
 */
export async function takeEmbedded(
  mirror: TabMirror,
  message: MirrorMessage,
  options: HandoverOptions,
): Promise<'taken' | 'older' | 'doubt'> {
  const { document } = mirror
  const { epoch, revision, leaving } = document
  if (leaving !== null || (epoch === message.epoch && message.revision < revision)) return 'older'
  if (epoch !== message.epoch && !isNobodys(document)) return 'doubt'
  const result = await adoptAnswer(mirror, message, { ...options, sent: { document, sealed: null } })
  return result === 'adopted' ? 'taken' : 'older'
}
