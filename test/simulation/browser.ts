// A browser profile: its disk, cookies, tabs and worker. Tabs run the real SDK.
import { type Session, createSession } from '../../src/index.ts'
import type { Chance } from './chance.ts'
import { type Disk, type DiskOptions, createDisk } from './disk.ts'
import type { SimFetchRequest, SimFetchResponse } from './messages.ts'
import { type Line, type Network, createLine } from './network.ts'
import { type Realm, createRealm } from './realm.ts'
import { type BrowserSchema, browserSchema } from './schema.ts'
import type { Context, Scheduler } from './scheduler.ts'
import { type WorkerHost, base, createWorkerHost } from './worker-host.ts'

export interface Tab {
  readonly context: Context
  /** Undefined until its script has run. */
  session: Session<BrowserSchema> | undefined
}

export interface Profile {
  readonly name: string
  readonly realm: Realm
  readonly line: Line
  readonly worker: WorkerHost
  readonly tabs: readonly Tab[]
  open(): Tab
  /** Ended without notice: closed, crashed, discarded. */
  kill(tab: Tab): void
  /** All tabs and the worker are gone, and of the disk whatever was not flushed yet. */
  cutPower(): void
  /** Another machine begins with a copy of this one's disk and cookies. */
  clone(name: string): Profile
}

export interface ProfileTools {
  readonly scheduler: Scheduler
  readonly chance: Chance
  readonly network: Network
  readonly scopes: Map<Context, object>
  readonly disk?: DiskOptions
  /** Before a request of a tab or worker leaves. */
  readonly onSend?: ((profile: Profile, request: SimFetchRequest) => void) | undefined
  readonly onOpened: (profile: Profile, tab: Tab, session: Session<BrowserSchema>) => void
  readonly onCommit: (profile: Profile) => void
}

/** `disk` and `line` are those of a copied profile. */
export function createProfile(
  name: string,
  tools: ProfileTools,
  { disk = createDisk(tools.disk), line = createLine() }: { disk?: Disk; line?: Line } = {},
): Profile {
  const { scheduler, chance, network } = tools
  let tabs: readonly Tab[] = []
  let opened = 0
  const realm = createRealm({ scheduler, chance, disk, onCommit: () => tools.onCommit(profile) })
  realm.skew = chance.whole(-5000, 5000)
  const upstream = (request: SimFetchRequest): Promise<SimFetchResponse> => {
    tools.onSend?.(profile, request)
    return network.send(line, request)
  }
  const worker = createWorkerHost({ name, scheduler, chance, realm, scopes: tools.scopes, upstream })

  const profile: Profile = {
    name,
    realm,
    line,
    worker,
    get tabs() {
      return tabs
    },
    open() {
      const context: Context = { name: `${name}.t${++opened}`, realm, isAlive: true, stalledUntil: 0 }
      const tab: Tab = { context, session: undefined }
      tabs = [...tabs, tab]
      const run = (): void => {
        const fetch = upstream as unknown as typeof globalThis.fetch // The doubles.
        tab.session = createSession({ schema: browserSchema, url: base, fetch: (request) => fetch(request) })
        tools.onOpened(profile, tab, tab.session)
      }
      scheduler.after(1, context, { label: 'tab opens', run })
      return tab
    },
    kill(tab) {
      tabs = tabs.filter((other) => other !== tab)
      realm.kill(tab.context)
    },
    cutPower() {
      realm.idb.cutPower()
      for (const tab of tabs) profile.kill(tab)
      worker.kill()
      scheduler.trace.note(`${name} lost ${disk.cutPower(chance)} transactions`)
    },
    clone(as) {
      const copied = createLine()
      const cookie = line.jar.header()
      if (cookie !== undefined) copied.jar.take(cookie)
      return createProfile(as, tools, { disk: disk.copy(), line: copied })
    },
  }
  return profile
}
