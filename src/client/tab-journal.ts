// What a tab in memory mode knows, in its sessionStorage: a reload goes on where it was, under the same client id. It
// ends with the tab, as people expect of what was not kept. Promises that it never holds an older state than was sent:
// that would be sent twice.
import { isObject, parseOwnJson } from '../protocol/json.ts'
import type { LocalState } from '../mirror/steps/local-state.ts'
import {
  parseMirrorDocument,
  parseOpenMutations,
  parseOutboxDocument,
  parseParcels,
  toStoredMirror,
} from '../mirror/storage/stored-form.ts'
import type { Journal } from '../mirror/storage/storage.ts'
import { webLocks } from '../mirror/tabs/lock.ts'
import { webStorage } from './web-storage.ts'

/** A page that is reloaded lets go of its journal within this time. */
const journalLockTimeoutMilliseconds = 1000

/**
 * Keeps nothing where there is no sessionStorage, or no lock to know that a duplicated tab has a copy of it. It is opened when
 * memory mode begins: that costs, where the origin keeps much in it.
 */
export function tabJournal(name: string): Journal {
  const locks = webLocks()
  const open = (): Storage | undefined => (locks === undefined ? undefined : webStorage('sessionStorage'))
  const key = `${name}:journal`
  /** The client id whose lock this tab holds, until it is closed. */
  let held: string | undefined
  let release: (() => void) | undefined

  function hold(client: string): Promise<boolean> {
    release?.()
    held = client
    const untilReleased = new Promise<void>((resolve) => (release = resolve))
    return new Promise((resolve) => {
      const request = locks?.request(
        `${key}:${client}`,
        { signal: AbortSignal.timeout(journalLockTimeoutMilliseconds) },
        () => {
          resolve(true)
          return untilReleased
        },
      )
      request?.catch(() => resolve(false))
    })
  }

  return {
    async take() {
      const state = parseState(open()?.getItem(key) ?? null)
      if (state === undefined || (await hold(state.outbox.client))) return state
      held = undefined
      return undefined
    },
    keep(state) {
      const storage = open()
      if (storage === undefined) return
      const { client } = state.outbox
      if (held !== client) void hold(client)
      try {
        // Encrypted parcels are binary, and are not this tab's to keep.
        storage.setItem(
          key,
          JSON.stringify({
            ...state,
            mirror: toStoredMirror(state.mirror),
            parcels: state.parcels.filter(isText),
          }),
        )
      } catch {
        // Full: nothing is better than what was.
        storage.removeItem(key)
      }
    },
    drop: () => open()?.removeItem(key),
    close: () => release?.(),
  }
}

function isText({ data }: { readonly data: unknown }): boolean {
  return typeof data === 'string'
}

/** Undefined for the text of another format, or of another program. */
function parseState(text: string | null): LocalState | undefined {
  const value = parseOwnJson(text ?? 'null')
  if (!isObject(value)) return undefined
  const { open, parcels } = value
  const [mirror, outbox] = [parseMirrorDocument(value['mirror']), parseOutboxDocument(value['outbox'])]
  if (mirror === undefined || outbox === undefined) return undefined
  if (!Array.isArray(open) || !Array.isArray(parcels)) return undefined
  return {
    mirror,
    outbox,
    open: parseOpenMutations(open),
    parcels: parseParcels(parcels),
  }
}
