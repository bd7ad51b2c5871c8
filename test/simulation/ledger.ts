// The oracle's own account of the browsers' side: every write that was made, what its page was told, and what
// happened to the profile since that may have cost it.
import type { Write, WriteOutcome } from '../../src/index.ts'
import type { Profile, Tab } from './browser.ts'

export type Told = WriteOutcome['code']

export interface Entry {
  readonly number: number
  readonly key: string
  readonly word: string
  readonly profile: Profile
  readonly tab: Tab
  /** Milliseconds since the seed began. */
  readonly at: number
  stored: 'disk' | 'memory' | undefined
  told: Told | undefined
  /** Why it may be gone although it was stored. */
  excuse: string | undefined
  /** An older state of its profile's disk has come back since, and with it perhaps what a later write had replaced. */
  isRevived: boolean
}

export interface Ledger {
  readonly entries: readonly Entry[]
  readonly newestNumber: number
  nextNumber(): number
  add(entry: Pick<Entry, 'number' | 'key' | 'word' | 'profile' | 'tab' | 'at'>, write: Write): void
  /** What happened to a profile may cost it what has not been acknowledged yet, of one key or of all. */
  excuse(profile: Profile, why: string, key?: string): void
  revive(profile: Profile): void
}

export function createLedger(onTold: (entry: Entry) => void): Ledger {
  const entries: Entry[] = []
  let numbers = 0
  return {
    entries,
    get newestNumber() {
      return numbers
    },
    nextNumber: () => ++numbers,
    add(made, write) {
      const entry: Entry = {
        ...made,
        stored: undefined,
        told: undefined,
        excuse: undefined,
        isRevived: false,
      }
      entries.push(entry)
      void write.stored.then((durability) => (entry.stored = durability))
      void write.acknowledged.then((outcome) => {
        entry.told = outcome.code
        onTold(entry)
      })
    },
    excuse(profile, why, key) {
      for (const entry of entries) {
        const isMeant = entry.profile === profile && (key === undefined || entry.key === key)
        if (isMeant && (entry.told === undefined || entry.told === 'parked')) entry.excuse ??= why
      }
    },
    revive(profile) {
      for (const entry of entries) if (entry.profile === profile) entry.isRevived = true
    },
  }
}
