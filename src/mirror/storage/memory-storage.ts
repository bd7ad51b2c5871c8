// Memory mode: the same contract without IndexedDB. Everything works; nothing survives the tab, and the session says
// so (`durability: 'memory'`). Nothing here is shared with other tabs; a reload finds it again in the journal.
import { type LocalState, emptyLocalState, isBlank } from '../steps/local-state.ts'
import { withOpen } from '../steps/outbox.ts'
import type { Journal, Storage } from './storage.ts'

export function memoryStorage(initial: LocalState = emptyLocalState(), journal?: Journal): Storage {
  let state = initial
  const started = start()

  /** What this tab knew before a reload. A tab that had a disk until now goes on with what it knows. */
  async function start(): Promise<void> {
    const before = isBlank(initial.mirror) ? await journal?.take() : undefined
    if (before !== undefined) state = before
  }

  async function become(step: () => LocalState): Promise<LocalState> {
    await started
    state = step()
    journal?.keep(state)
    return state
  }

  return {
    durability: 'memory',
    async load() {
      await started
      return state
    },
    async write(added) {
      await become(() => ({ ...state, open: withOpen(state.open, added) }))
    },
    transact: (step) => become(() => step(state)),
    close: () => journal?.close(),
  }
}
