// One seed from beginning to end: its actions, then peace, then the verdict.
import { type ActionName, act } from './actions.ts'
import { calm } from './network.ts'
import { noTrouble } from './store.ts'
import { judge } from './verdict.ts'
import { weights } from './weights.ts'
import { type Broken, type World, type WorldOptions, createWorld } from './world.ts'

export interface Result {
  readonly seed: number
  /** Of everything that happened: the same for the same seed. */
  readonly hash: string
  readonly complaints: readonly string[]
  /** Only when it was asked for. */
  readonly lines: readonly string[]
  readonly writes: number
  readonly actions: number
}

/** More than any seed needs: one that goes on has no end. */
const mostTasks = 200_000

export async function runSeed(options: WorldOptions): Promise<Result> {
  const world = createWorld(options)
  try {
    const actions = play(world)
    await settle(world, 'the actions')
    await calmDown(world)
    await judge(world)
    const { scheduler, complaints, ledger } = world
    const { hash, lines } = scheduler.trace
    return { seed: options.seed, hash, complaints, lines, writes: ledger.entries.length, actions }
  } finally {
    world.close()
  }
}

/** Plans the actions one after another; what each is, is decided when it is its turn. */
function play(world: World): number {
  const { chance, scheduler, profiles } = world
  for (const profile of profiles) {
    profile.open()
    if (chance.of(0.6)) profile.open()
  }
  const count = chance.whole(8, 34)
  let left = count
  const next = (): void => {
    if (left-- === 0) return
    act(world, chance.weighted<ActionName>(weights))
    scheduler.after(pause(world), undefined, { label: 'action', run: next })
  }
  scheduler.after(chance.whole(1, 200), undefined, { label: 'action', run: next })
  return count
}

/** Milliseconds to the next action: mostly so few that much happens at once; sometimes a session's life. */
function pause(world: World): number {
  const { chance, times, network, store, profiles, ledger, scheduler } = world
  if (chance.of(0.85)) return chance.next() * (chance.of(0.5) ? 30 : 1500)
  const kind = chance.weighted({ moment: 10, stale: 6, rotate: 4, idle: 1, week: 0.3 })
  if (kind === 'moment') return chance.whole(1000, 10_000)
  // Nothing else would happen meanwhile but tries in vain.
  network.trouble = calm
  store.trouble = noTrouble
  const seconds = {
    stale: times.freshSeconds * 1.1,
    rotate: times.rotateSeconds + times.rotateGraceSeconds,
    idle: times.idleTimeoutSeconds * 1.05,
    week: 700_000,
  }[kind]
  // What is parked is kept for a week (docs/protocol.md, Limits).
  const excuse = (): void => {
    for (const profile of profiles) ledger.excuse(profile, 'a week is over')
  }
  if (kind === 'week') scheduler.after(seconds * 1000, undefined, { label: 'week', run: excuse })
  return seconds * 1000
}

async function settle({ scheduler, complain }: World, what: string): Promise<void> {
  if ((await scheduler.settle(mostTasks)) === 'busy') complain(`${what} did not come to rest`)
}

/** No more trouble; each profile has a tab, and one of its tabs looks once. */
async function calmDown(world: World): Promise<void> {
  const { network, store, profiles, chance, scheduler } = world
  network.trouble = calm
  store.trouble = noTrouble
  scheduler.trace.note('— peace')
  for (const profile of profiles) {
    profile.line.isOffline = false
    if (profile.tabs.length === 0) profile.open()
  }
  await settle(world, 'peace')
  for (let round = 0; round < 2; round++) {
    for (const profile of profiles) {
      const tab = chance.pick(profile.tabs)
      scheduler.after(0, tab?.context, { label: 'look', run: () => void tab?.session?.pull() })
    }
    // oxlint-disable-next-line no-await-in-loop -- the second sees what the first has sent
    await settle(world, 'peace')
  }
}

export type { Broken }
