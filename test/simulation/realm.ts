// What the contexts of one browser profile share, and the doubles through which they reach it: Web Locks,
// BroadcastChannel, IndexedDB.
import type { Chance } from './chance.ts'
import { copy } from './copy.ts'
import type { Disk } from './disk.ts'
import { type IdbEngine, createIdbEngine } from './idb-engine.ts'
import type { Context, Scheduler } from './scheduler.ts'

export interface Realm {
  readonly disk: Disk
  readonly idb: IdbEngine
  readonly locks: Locks
  readonly channels: Channels
  /** Milliseconds that this machine's clock is ahead. */
  skew: number
  kill(context: Context): void
}

interface RealmOptions {
  readonly scheduler: Scheduler
  readonly chance: Chance
  readonly disk: Disk
  readonly onCommit: () => void
}

export function createRealm(options: RealmOptions): Realm {
  const { scheduler, chance, disk } = options
  const idb = createIdbEngine(options)
  const locks = createLocks(scheduler)
  const channels = createChannels(scheduler, chance)
  return {
    disk,
    idb,
    locks,
    channels,
    skew: 0,
    kill(context) {
      context.isAlive = false
      idb.kill(context)
      locks.kill(context)
      channels.kill(context)
    },
  }
}

interface Signal {
  readonly aborted: boolean
  readonly reason: unknown
  addEventListener(type: 'abort', listener: () => void): void
}

export interface Locks {
  request<T>(
    name: string,
    options: { readonly signal?: Signal; readonly steal?: boolean },
    run: () => Promise<T>,
  ): Promise<T>
  kill(context: Context): void
}

interface Wanted {
  readonly name: string
  readonly context: Context | undefined
  readonly grant: () => void
  /** Somebody else has taken it away: the work goes on without. */
  readonly lose: () => void
  isHeld: boolean
}

function createLocks(scheduler: Scheduler): Locks {
  let wanted: Wanted[] = []

  function advance(): void {
    for (const [index, entry] of wanted.entries()) {
      if (entry.isHeld || wanted.slice(0, index).some((earlier) => earlier.name === entry.name)) continue
      entry.isHeld = true
      scheduler.after(0, entry.context, { label: 'lock', run: entry.grant })
    }
  }

  function drop(entry: Wanted): void {
    wanted = wanted.filter((other) => other !== entry)
    advance()
  }

  return {
    request: (name, { signal, steal = false }, run) =>
      new Promise((resolve, reject) => {
        const entry: Wanted = {
          name,
          context: scheduler.current,
          isHeld: false,
          grant() {
            if (!wanted.includes(entry)) return
            hasBegun = true
            run()
              .then(resolve, reject)
              .finally(() => drop(entry))
          },
          lose: () => reject(new DOMException('The lock was stolen.', 'AbortError')),
        }
        let hasBegun = false
        if (steal) {
          const [taken, rest] = [wanted.filter((other) => other.isHeld && other.name === name), wanted]
          // Each hears of it in a task of its own page.
          for (const other of taken)
            scheduler.after(0, other.context, { label: 'lock lost', run: other.lose })
          wanted = [entry, ...rest.filter((other) => !taken.includes(other))]
          return advance()
        }
        signal?.addEventListener('abort', () => {
          if (hasBegun || !wanted.includes(entry)) return
          drop(entry)
          reject(signal.reason)
        })
        wanted.push(entry)
        advance()
      }),
    kill(context) {
      wanted = wanted.filter((entry) => entry.context !== context)
      advance()
    },
  }
}

export interface Member {
  readonly name: string
  readonly context: Context | undefined
  readonly hear: (data: unknown) => void
  /** Messages to one channel object arrive in the order in which they were sent. */
  nextAt: number
}

export interface Channels {
  join(name: string, hear: (data: unknown) => void): Member
  post(from: Member, data: unknown): void
  leave(member: Member): void
  kill(context: Context): void
}

function createChannels(scheduler: Scheduler, chance: Chance): Channels {
  let members: Member[] = []
  return {
    join(name, hear) {
      const member = { name, context: scheduler.current, hear, nextAt: 0 }
      members.push(member)
      return member
    },
    post(from, data) {
      for (const member of members) {
        if (member === from || member.name !== from.name) continue
        const message = copy(data)
        const wait = chance.of(0.05) ? chance.whole(5, 300) : chance.next() * 2
        member.nextAt = Math.max(member.nextAt, scheduler.now + wait)
        const run = (): void => {
          if (members.includes(member)) member.hear(message)
        }
        scheduler.after(member.nextAt - scheduler.now, member.context, { label: 'message', run })
      }
    },
    leave(member) {
      members = members.filter((other) => other !== member)
    },
    kill(context) {
      members = members.filter((member) => member.context !== context)
    },
  }
}
