// How a write is entered: with a stamp that orders the writes of all tabs, and with what its page believed.
import type { Mutation } from '../protocol/mutation.ts'
import { type LocalState, type OpenMutation, pendingOf } from './local.ts'
import { randomToken } from './token.ts'

/** The write as what its page believed when it was made: whose session this is, and what the key's value was. */
export function toOpen(state: LocalState, mutation: Mutation, stamp: string): OpenMutation {
  const { version, mirror } = state.mirror
  const saw = pendingOf(state).filter((earlier) => earlier.key === mutation.key)
  return {
    stamp,
    mutation,
    owner: version === 0 ? undefined : mirror.owner,
    saw: saw.map((earlier) => earlier.id),
  }
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
