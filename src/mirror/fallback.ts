// Memory mode: the same contract without IndexedDB. Everything works; nothing survives the tab, and the
// session says so (`durability: 'memory'`). Nothing here is shared with other tabs.
import { type LocalState, emptyLocalState } from './local.ts'
import { withOpen } from './outbox.ts'
import type { Storage } from './storage.ts'

export function memoryStorage(initial: LocalState = emptyLocalState()): Storage {
  let state = initial
  return {
    durability: 'memory',
    load: async () => state,
    write: async (added) => {
      state = { ...state, open: withOpen(state.open, added) }
    },
    transact: async (step) => {
      state = step(state)
      return state
    },
    close: () => undefined,
  }
}
