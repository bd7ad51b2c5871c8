// How a write is entered: with a stamp that orders the writes of all tabs, and with what its page believed.
import { type Base, type Mutation, isOtherThan } from '../../protocol/mutation.ts'
import { revisionOf } from '../../protocol/state.ts'
import { type LocalState, type OpenMutation, isBlank, pendingOf } from './local-state.ts'
import { randomToken } from './random-token.ts'

/** The mutation with what its page believed: whose session this is, and which pending writes the shown value came from. */
export function toOpen(state: LocalState, mutation: Mutation, stamp: string): OpenMutation {
  const { mirror } = state
  return {
    stamp,
    mutation,
    owner: isBlank(mirror) ? undefined : mirror.owner,
    // Only a write on a base is asked what its writer saw. A thousand increments would name each other a million times.
    saw: hasBase(mutation) ? below(state, mutation.key) : [],
  }
}

/**
 * So many writes that took each other's place are remembered: those that may have been sealed before this tab has heard of it. A page
 * that updates a key all day long must not write the names of all those writes with each one.
 */
const rememberedBelow = 500

/**
 * Ids of the pending writes that the shown value came from: the last one, and those that it was made on. An earlier write
 * that the last one had not seen is only hidden by it, and a write on another base is not shown: the writer saw neither.
 */
function below(state: LocalState, key: string): readonly string[] {
  const { epoch, keys } = state.mirror
  const current = { epoch, revision: revisionOf(keys, key) }
  const shown = pendingOf(state).filter(
    (earlier) => earlier.key === key && !(hasBase(earlier) && isOtherThan(earlier.base, current)),
  )
  const last = shown.at(-1)
  const entry = state.open.find(({ mutation }) => mutation === last)
  if (entry === undefined || !hasBase(entry.mutation)) return shown.map(({ id }) => id)
  return [...entry.saw, entry.mutation.id].slice(-rememberedBelow)
}

function hasBase(mutation: Mutation): mutation is Mutation & { readonly base: Base } {
  return 'base' in mutation
}

/** Sortable stamps: local time, never behind a stamp already seen, with this tab's name behind it. */
export function stamps(now: () => number): (state: LocalState) => string {
  const tab = randomToken().slice(0, 6)
  let last = 0
  return (state) => {
    const seen = Number.parseInt(state.open.at(-1)?.stamp ?? '0', 36) || 0
    last = Math.max(now(), last + 1, seen + 1)
    return `${last.toString(36).padStart(9, '0')}.${tab}`
  }
}
