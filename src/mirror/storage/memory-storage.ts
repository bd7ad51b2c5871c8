// Memory mode: the same contract without IndexedDB. Everything works, and nothing survives the tab, which the session
// says (`durability: 'memory'`). Nothing is shared with other tabs. A reload finds the state again in the journal.
import { type LocalState, emptyLocalState, isBlank } from '../steps/local-state.ts'
import { withOpen } from '../steps/outbox.ts'
import type { Journal, Storage } from './storage.ts'

/**
 * A storage in the memory of this tab.
 * @param initial what the tab begins with; a blank one is replaced by what the journal has
 */
export function memoryStorage(initial: LocalState = emptyLocalState(), journal?: Journal): Storage {
  let state = initial
  const started = start()

  /** Takes over the state from before a reload. A tab that had a disk until now goes on with its own state. */
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
