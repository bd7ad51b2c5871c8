// What may happen, and how often: what people do, and what is done to them.
import type { Profile, Tab } from './browser.ts'
import { SimFetchRequest } from './messages.ts'
import { calm } from './network.ts'
import { mirrorOnDisk } from './places.ts'
import { word } from './schema.ts'
import { noTrouble } from './store.ts'
import { origin } from './worker-host.ts'
import type { World } from './world.ts'

type Action = (world: World, profile: Profile, tab: Tab) => void

const actions = {
  set: write('note'),
  setStrict: write('strict'),
  setPicky: write('picky'),
  setGone: write('gone'),
  list: write('list'),
  tags: write('tags'),
  count: write('count'),
  burst(world, profile, tab) {
    const keys = ['note', 'list', 'tags', 'count', 'strict'] as const
    for (let left = world.chance.whole(2, 6); left > 0; left--) {
      const other = world.chance.pick(profile.tabs) ?? tab
      write(world.chance.pick(keys) ?? 'note')(world, profile, other)
    }
  },
  remove(world, profile, { context, session }) {
    const key = world.chance.of(0.5) ? 'note' : 'strict'
    world.ledger.excuse(profile, 'removed', key)
    inTab(world, context, () => void session?.delete(key))
  },
  pull: (world, _profile, { context, session }) => inTab(world, context, () => void session?.pull()),
  flush: (world, _profile, { context, session }) => inTab(world, context, () => void session?.flush()),

  signIn(world, profile, tab) {
    const owner = world.chance.pick(['ada', 'ada', 'grace']) ?? 'ada'
    leaveLost(world, profile)
    ask(world, { profile, tab, path: '/api/sign-in', body: owner })
  },
  /** A form: a navigation, which takes the tab along. */
  signInByForm(world, profile, tab) {
    const { scheduler, network, chance } = world
    leaveLost(world, profile)
    profile.kill(tab)
    const body = chance.pick(['ada', 'grace']) ?? 'ada'
    const request = new SimFetchRequest(`${origin}/api/sign-in`, { method: 'POST', body })
    const open = (): void => void profile.open()
    network.send(profile.line, request, { 'sec-fetch-mode': 'navigate' }).then(open, open)
    scheduler.trace.note(`${profile.name} signs in as ${body} by a form`)
  },
  signOut(world, profile, { context, session }) {
    leaveLost(world, profile)
    world.ledger.excuse(profile, 'signed out')
    const pending = world.chance.of(0.7) ? 'flush' : 'discard'
    inTab(world, context, () => void session?.signOut({ pending }))
  },
  log: (world, profile, tab) => ask(world, { profile, tab, path: '/api/log' }),
  read: (world, profile, tab) => ask(world, { profile, tab, path: '/api/read' }),
  regenerate: (world, profile, tab) => ask(world, { profile, tab, path: '/api/regenerate' }),
  signOutByApp(world, profile, tab) {
    leaveLost(world, profile)
    const body = world.chance.of(0.5) ? 'everywhere' : 'here'
    ask(world, { profile, tab, path: '/api/sign-out', body })
  },
  revokeAll(world) {
    for (const profile of world.profiles) leaveLost(world, profile)
    const server = world.chance.pick(world.servers)
    const owner = world.chance.pick(['ada', 'grace']) ?? 'ada'
    const run = (): void => void server?.sessions.revokeAll(owner).catch(() => undefined)
    world.scheduler.after(0, server?.context, { label: 'revoke', run })
  },

  open(_world, profile) {
    if (profile.tabs.length < 4) profile.open()
  },
  kill: (_world, profile, tab) => profile.kill(tab),
  killWorker: (_world, profile) => profile.worker.kill(),
  callWorker: (_world, profile) => profile.worker.sync(),
  cutPower(world, profile) {
    world.ledger.excuse(profile, 'power cut')
    world.ledger.revive(profile)
    leaveLost(world, profile)
    profile.cutPower()
    profile.open()
  },
  stall({ scheduler, chance }, _profile, { context }) {
    const until = scheduler.now + chance.whole(10, chance.of(0.3) ? 20_000 : 2000)
    context.stalledUntil = Math.max(context.stalledUntil, until)
  },
  clone(world, profile) {
    if (world.profiles.length > 2) return
    // What was not acknowledged yet, or is not any more after a power cut, both send: nothing tells the two apart.
    world.places.forgive()
    world.ledger.revive(profile)
    world.clone(profile)
    world.profiles.at(-1)?.open()
  },
  offline({ scheduler, chance }, { line }) {
    line.isOffline = true
    const run = (): void => void (line.isOffline = false)
    scheduler.after(chance.whole(50, 8000), undefined, { label: 'online', run })
  },

  badNetwork({ scheduler, chance, network }) {
    const share = (): number => chance.next() * 0.4
    network.trouble = { lost: share(), unanswered: share(), doubled: share(), wait: chance.whole(20, 1500) }
    const run = (): void => void (network.trouble = calm)
    scheduler.after(chance.whole(100, 10_000), undefined, { label: 'calm', run })
  },
  badStore({ scheduler, chance, store }) {
    const before = chance.of(0.3) ? 1 : chance.next() * 0.3
    store.trouble = { before, after: chance.next() * 0.3, wait: chance.whole(1, 300) }
    const run = (): void => void (store.trouble = noTrouble)
    scheduler.after(chance.whole(50, 5000), undefined, { label: 'calm', run })
  },
  badDisk(world, profile) {
    const { scheduler, chance } = world
    const { idb } = profile.realm
    // A page that has no disk knows of no session, and cannot tell the others that theirs is lost.
    leaveLost(world, profile)
    idb.trouble = chance.pick(['full', 'dead', 'slow'] as const) ?? 'full'
    scheduler.trace.note(`${profile.name} has a disk that is ${idb.trouble}`)
    const run = (): void => void (idb.trouble = 'none')
    scheduler.after(chance.whole(50, chance.of(0.3) ? 40_000 : 5000), undefined, { label: 'disk well', run })
  },
  killServer(world) {
    const server = world.chance.pick(world.servers)
    if (server !== undefined) world.restart(server)
  },
  stallServer({ scheduler, chance, servers }) {
    const server = chance.pick(servers)
    if (server === undefined) return
    server.context.stalledUntil = Math.max(
      server.context.stalledUntil,
      scheduler.now + chance.whole(10, 3000),
    )
  },
  evict(world) {
    const keys = world.store.keys
    const key = world.chance.pick(keys)
    if (key !== undefined) lose(world, key)
  },
  restartStore(world) {
    for (const key of world.store.keys) lose(world, key)
    world.store.restart()
  },
} satisfies Readonly<Record<string, Action>>

export type ActionName = keyof typeof actions

export function act(world: World, name: ActionName): void {
  const { chance, profiles, scheduler } = world
  const profile = chance.pick(profiles)
  if (profile === undefined) return
  const tab = chance.pick(profile.tabs) ?? profile.open()
  scheduler.trace.note(`— ${name} ${tab.context.name}`)
  actions[name](world, profile, tab)
}

function inTab({ scheduler }: World, context: Tab['context'], run: () => void): void {
  scheduler.after(0, context, { label: 'app', run })
}

type WrittenKey = 'note' | 'strict' | 'picky' | 'gone' | 'list' | 'tags' | 'count'

function write(key: WrittenKey): Action {
  return (world, profile, tab) =>
    inTab(world, tab.context, () => {
      const { session } = tab
      if (session === undefined) return
      const number = world.ledger.nextNumber()
      const isEarly = session.inspect().local.mirror.version === 0
      const text = word(isEarly ? undefined : session.owner, number)
      const made = { number, key, word: text, profile, tab, at: world.scheduler.now }
      world.scheduler.trace.note(`writes ${text} to ${key}`)
      const add = (words: readonly string[]): readonly string[] => [...words, text]
      if (key === 'count') world.ledger.add(made, session.increment('count', number))
      else if (key === 'list') world.ledger.add(made, session.update('list', add))
      else if (key === 'tags') world.ledger.add(made, session.set('tags', add(session.get('tags'))))
      else world.ledger.add(made, session.set(key, text))
      // A sign-out that is under way gives up whatever it finds.
      if (isLeaving(world, profile)) world.ledger.excuse(profile, 'leaving')
    })
}

interface Asked {
  readonly profile: Profile
  readonly tab: Tab
  readonly path: string
  readonly body?: string
}

/** A request of the app's: through its worker, or through the SDK. */
function ask(world: World, { profile, tab, path, body = '' }: Asked): void {
  const isByWorker = world.chance.of(0.4)
  inTab(world, tab.context, () => {
    const { session } = tab
    const init = { method: path === '/api/read' ? 'GET' : 'POST', ...(path === '/api/read' ? {} : { body }) }
    const request = new SimFetchRequest(origin + path, init)
    const asked = isByWorker ? profile.worker.fetch(request) : session?.fetch(request as unknown as Request) // The double.
    asked?.then(
      () => undefined,
      () => undefined,
    )
  })
}

/** Milliseconds that a sign-in or a sign-out takes at most, with all its tries. */
const longestLeave = 60_000

/** Whatever was lost before, or is while this is under way, need not be told any more. */
function leaveLost(world: World, profile: Profile): void {
  const { epoch } = mirrorOnDisk(profile)
  const lostEpoch = world.lost.get(profile)?.epoch
  // Copies of a browser have its session: what one leaves has ended for the other.
  for (const other of world.profiles) {
    if (other !== profile && (epoch === null || mirrorOnDisk(other).epoch !== epoch)) continue
    world.leaving.set(other, world.scheduler.now + longestLeave)
  }
  for (const [other, lost] of world.lost)
    if (other === profile || lost.epoch === lostEpoch) lost.isExcused = true
}

/** The browsers that hold a session which the store forgets have to say so. */
function lose(world: World, key: string): void {
  const epoch = world.places.all.get(key)?.record.epoch
  world.store.evict(key)
  for (const profile of world.profiles)
    if (epoch !== undefined && mirrorOnDisk(profile).epoch === epoch)
      world.lost.set(profile, {
        epoch,
        at: world.scheduler.now,
        begun: profile.line.begun,
        isExcused: isLeaving(world, profile),
      })
}

function isLeaving({ leaving, scheduler }: World, profile: Profile): boolean {
  return (leaving.get(profile) ?? 0) > scheduler.now
}
