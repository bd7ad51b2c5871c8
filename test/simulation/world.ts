// One seed's world: the servers and their store, the browsers, and the oracle that watches both.
import { nodeCrypto } from '../../src/server/node/node-crypto.ts'
import type { Session } from '../../src/index.ts'
import { type Profile, type ProfileTools, type Tab, createProfile } from './browser.ts'
import { type Chance, createChance } from './chance.ts'
import { installGlobals } from './globals.ts'
import { type Ledger, createLedger } from './ledger.ts'
import { type Network, createNetwork } from './network.ts'
import { type Places, createPlaces, isForeign, ownerOnDisk } from './places.ts'
import { wordsIn } from './step.ts'
import { type BrowserSchema, visibleKeys } from './schema.ts'
import { type Context, type Scheduler, createScheduler } from './scheduler.ts'
import { type Server, type Times, startServer } from './server.ts'
import type { Plaintexts } from './subtle.ts'
import { type SimStore, createSimStore } from './store.ts'

/** Rules that are broken on purpose, to see that it is noticed. */
export type Broken = 'relaxed-seal' | 'no-hash' | 'early-delete'

/** What the oracle reads in the answer to a batch. */
interface SyncAnswer {
  readonly epoch: string | null
  readonly outcomes?: readonly { readonly code: string }[]
}

export interface WorldOptions {
  readonly seed: number
  readonly broken?: Broken | undefined
  readonly isVerbose?: boolean
}

export interface Lost {
  readonly epoch: string
  readonly at: number
  /** Of the line, at that time. */
  readonly begun: number
  /** Something else has happened since that ends the session, or begins another. */
  isExcused: boolean
}

export interface World {
  readonly scheduler: Scheduler
  readonly chance: Chance
  readonly network: Network
  readonly store: SimStore
  readonly ledger: Ledger
  readonly places: Places
  readonly times: Times
  readonly servers: readonly Server[]
  readonly profiles: readonly Profile[]
  readonly complaints: readonly string[]
  /** Of what the browsers have encrypted. */
  readonly plaintexts: Plaintexts
  /** Sessions that the store has lost, by the profile that had them: it must say so. */
  readonly lost: Map<Profile, Lost>
  /** Until when a profile may be on its way to another session, or to none. */
  readonly leaving: Map<Profile, number>
  complain(text: string): void
  restart(server: Server): void
  clone(profile: Profile): void
  /** Undoes what building the world has done to the globals. */
  close(): void
}

export function createWorld({ seed, broken, isVerbose = false }: WorldOptions): World {
  const chance = createChance(seed)
  const scheduler = createScheduler(isVerbose)
  const scopes = new Map<Context, object>()
  const plaintexts: Plaintexts = new Map()
  const restore = installGlobals({
    scheduler,
    chance,
    plaintexts,
    workerScope: () => scheduler.current && scopes.get(scheduler.current),
  })
  const complaints: string[] = []
  const complain = (text: string): void => {
    scheduler.trace.note(`COMPLAINT ${text}`)
    complaints.push(text)
  }
  const ledger = createLedger(({ number, told, tab }) =>
    scheduler.trace.note(`${tab.context.name}: write ${number} is ${told}`),
  )
  const places = createPlaces(complain, () => ledger.newestNumber)
  const lost = new Map<Profile, Lost>()
  const store = createSimStore({
    scheduler,
    chance,
    onWrite: (key, value) => {
      places.wrote(key, value)
    },
  })
  const times: Times = {
    idleTimeoutSeconds: chance.whole(600, 3600),
    absoluteTimeoutSeconds: 7200,
    freshSeconds: chance.whole(20, 200),
    rotateSeconds: chance.whole(10, 400),
    rotateGraceSeconds: chance.whole(5, 60),
  }
  const hash = (text: string): string => {
    // A server that compares no hashes: whatever comes under a number is taken for what came under it before.
    const named = broken === 'no-hash' ? text.slice(0, text.indexOf('"mutations"')) : text
    const result = nodeCrypto.hash(named)
    places.hashed(result, text)
    return result
  }
  const onLogged = (epoch: string | null, text: string): void => {
    const isThere = [...places.all.values()].some(
      ({ record }) => record.epoch === epoch && wordsIn(record.keys['log']).includes(text),
    )
    // It may have ended in the same moment.
    if (!isThere && !places.wasSeen(text)) complain(`the app was told that ${text} is stored, and it is not`)
  }
  const serverTools = {
    scheduler,
    chance,
    store: store.store,
    times,
    hash,
    onLogged,
    nextWrite: ledger.nextNumber,
  }
  let servers: readonly Server[] = ['s1', 's2'].map((name) => startServer(name, serverTools))
  const network = createNetwork({
    scheduler,
    chance,
    servers: () => servers,
    onRequest: () => undefined,
    onAnswer(wire, { status, body }) {
      if (body.includes('hidden#')) complain('a hidden value left the server')
      if (wire.url !== '/session/sync' || status !== 200) return
      const { batch } = JSON.parse(wire.body ?? '{}') as { batch?: string }
      if (batch === undefined) return
      const { epoch, outcomes = [] } = JSON.parse(body) as SyncAnswer
      places.answered(batch, { epoch, codes: outcomes.map(({ code }) => code) })
    },
  })
  const profileTools: ProfileTools = {
    scheduler,
    chance,
    network,
    scopes,
    disk: { isStrictIgnored: broken === 'relaxed-seal' },
    onSend: broken === 'early-delete' ? deleteEarly : undefined,
    onOpened: (profile, tab, session) => watchTab({ profile, tab, session, complain, lost }),
    onCommit: (profile) => checkDisk(profile, complain),
  }
  const names = chance.of(0.3) ? ['p1', 'p2'] : ['p1']
  const profiles = names.map((name) => createProfile(name, profileTools))

  return {
    scheduler,
    chance,
    network,
    store,
    ledger,
    places,
    times,
    get servers() {
      return servers
    },
    profiles,
    complaints,
    plaintexts,
    lost,
    leaving: new Map(),
    complain,
    restart(server) {
      const { context } = server
      context.isAlive = false
      network.dropAll(context)
      servers = servers.map((other) =>
        other === server ? startServer(`${context.name}'`, serverTools) : other,
      )
    },
    clone(profile) {
      const copied = profile.clone(`p${profiles.length + 1}`)
      const isLost = lost.get(profile)
      // A copy of a browser that is on its way elsewhere may come after that has ended their session.
      if (isLost !== undefined) lost.set(copied, { ...isLost, isExcused: true })
      profiles.push(copied)
    },
    close: restore,
  }
}

/** An outbox that forgets a batch as soon as it has left. */
function deleteEarly({ realm: { disk } }: Profile, { url }: { readonly url: string }): void {
  const outbox = disk.tables.get('outbox')?.get('outbox') as { version: number } | undefined
  if (outbox === undefined || !url.endsWith('/sync')) return
  disk.commit([['outbox', 'outbox', { ...outbox, sealed: null, version: outbox.version + 1 }]], 'strict')
}

interface Watched {
  readonly profile: Profile
  readonly tab: Tab
  readonly session: Session<BrowserSchema>
  readonly complain: (text: string) => void
  readonly lost: Map<Profile, Lost>
}

/** Nobody ever sees anybody else's. */
function watchTab({ profile, tab, session, complain, lost }: Watched): void {
  const { name } = tab.context
  session.subscribe(() => {
    const view = visibleKeys.map((key) => session.get(key))
    // A tab that begins hears of the outbox before it has read whose it is: it is who is here all the same.
    // One that has heard whose it was, a moment ago, shows that: as every tab does until it hears the next thing.
    const { version } = session.inspect().local.mirror
    const owner = version === 0 ? ownerOnDisk(profile) : session.owner
    for (const text of wordsIn(view))
      if (isForeign(text, owner)) complain(`${name} shows ${text} to ${owner ?? 'nobody'}`)
  })
  session.on('status', (status) => {
    const epoch = lost.get(profile)?.epoch
    // To a copy of this browser that comes later it is merely ended: the loss was taken note of. One that comes too
    // late to tell a loss from the end of the idle time is told the latter.
    const isTold = status.state === 'lost' || (status.state === 'signed-out' && status.reason === 'expired')
    if (isTold) for (const [other, same] of lost) if (same.epoch === epoch) lost.delete(other)
  })
}

/** What is on disk of a mirror and of an outbox is the present owner's. */
function checkDisk(profile: Profile, complain: (text: string) => void): void {
  const { tables } = profile.realm.disk
  const owner = ownerOnDisk(profile)
  for (const text of wordsIn([tables.get('mirror')?.get('mirror'), tables.get('outbox')?.get('outbox')]))
    if (isForeign(text, owner)) complain(`${profile.name} keeps ${text} for ${owner ?? 'nobody'}`)
}
