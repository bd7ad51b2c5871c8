// Follows one session in the store, for those who want to hear of it without asking: event streams, and what watches for a
// long connection. Woken by the feed, and once for each heartbeat. Looks, and never uses the session: an open page is not
// a person.
import { SessionError } from '../../protocol/errors.ts'
import type { Place, Placed, SessionRecord } from '../codec/record.ts'
import { type Core, now } from '../core/core.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import type { DeadReason, Loaded } from '../lifecycle/loaded.ts'
import { type Located, type LocatedLive, codeOf, locate } from '../lifecycle/locate.ts'
import type { Owners } from '../lifecycle/owners.ts'

/** What a session is when it is looked at again. */
export type Followed = LocatedLive | { readonly state: 'over'; readonly reason: DeadReason }

/** What a follower asks: the session's store, and the marks of its owner. */
export type FollowerTools = Pick<Lifecycle, 'core' | 'owners'>

export class Follower {
  readonly #core: Core
  readonly #owners: Owners
  readonly #epoch: string
  /** When the session was last known to be used, as far as this follower knows. */
  readonly #usedAt: number
  readonly #bell: Bell = new Bell()
  readonly #unsubscribe: () => void
  #place: Place
  #expires: number
  /** When it was last looked whether a mark has ended the session: nobody refreshes its cookie here. */
  #checkedAt: number
  #isClosed = false

  /** `usedAt`: when the session was last known to be used. */
  constructor({ core, owners }: FollowerTools, { place, record }: Placed, usedAt: number) {
    this.#core = core
    this.#owners = owners
    this.#checkedAt = now(core)
    this.#epoch = record.epoch
    this.#expires = record.expires
    this.#usedAt = usedAt
    this.#place = place
    this.#unsubscribe = core.feed.subscribe(record.epoch, () => {
      // A look that has begun may have come before what this is about.
      looksOf(core).delete(this.#place.key)
      this.#bell.ring()
    })
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Undefined: the store does not answer, which says nothing about the session. */
  async look(): Promise<Followed | undefined> {
    try {
      const found = await lookTogether(this.#core, this.#place)
      if (found.state === 'ended') return { state: 'over', reason: codeOf(found) }
      if (found.state === 'missing') {
        const isIdle = now(this.#core) >= this.#usedAt + this.#core.times.idleTimeoutSeconds
        return { state: 'over', reason: isIdle && !found.isCorrupt ? 'expired' : 'lost' }
      }
      if (this.#isOver(found.record)) return { state: 'over', reason: this.#reasonOf(found.record) }
      if (!(await this.#check(found))) return { state: 'over', reason: 'ended' }
      this.#place = found.place
      this.#expires = found.record.expires
      return found
    } catch (error) {
      if (error instanceof SessionError) return undefined
      throw error
    }
  }

  /** Waits until there may be something new. False: nobody said so, it is only time to look again. */
  heard(): Promise<boolean> {
    const left = Math.max(1, this.#expires - now(this.#core))
    return this.#bell.heard(Math.min(this.#core.heartbeatSeconds, left) * 1000)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#unsubscribe()
    this.#bell.ring()
  }

  /** Not with each look: a mark is met as soon as by a browser that refreshes its cookie. */
  async #check({ place, record }: LocatedLive): Promise<boolean> {
    if (now(this.#core) < this.#checkedAt + this.#core.times.freshSeconds / 2) return true
    const lives = await this.#owners.check(place, record)
    this.#checkedAt = now(this.#core)
    return lives
  }

  #isOver(record: SessionRecord): boolean {
    return record.epoch !== this.#epoch || now(this.#core) >= record.expires
  }

  #reasonOf({ epoch }: SessionRecord): DeadReason {
    return epoch === this.#epoch ? 'expired' : 'ended'
  }
}

/** The looks that are under way, by the key of their place: a thousand connections of one session read it once. */
const looks = new WeakMap<Core, Map<string, Promise<Located>>>()

function looksOf(core: Core): Map<string, Promise<Located>> {
  const known = looks.get(core) ?? new Map<string, Promise<Located>>()
  looks.set(core, known)
  return known
}

/** @throws SessionError `store-unavailable` */
function lookTogether(core: Core, place: Place): Promise<Located> {
  const known = looksOf(core)
  const present = known.get(place.key)
  if (present !== undefined) return present
  const look = locate(core, place, 'look').finally(() => {
    if (known.get(place.key) === look) known.delete(place.key)
  })
  known.set(place.key, look)
  return look
}

/** Wakes one who waits, also when it rang before. */
class Bell {
  #hasRung = false
  #wake: ((hasRung: boolean) => void) | undefined

  ring(): void {
    this.#hasRung = true
    this.#wake?.(true)
  }

  /** True when it rang, perhaps before; false after so many milliseconds of silence. */
  async heard(milliseconds: number): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const hasRung = await new Promise<boolean>((resolve) => {
      this.#wake = resolve
      if (this.#hasRung) resolve(true)
      else timer = setTimeout(resolve, milliseconds, false)
    })
    clearTimeout(timer)
    this.#wake = undefined
    if (hasRung) this.#hasRung = false
    return hasRung
  }
}

/** What is found when the watching begins. */
export type Beginning = Exclude<Loaded, { readonly state: 'live' }> | (Placed & { readonly state: 'live' })

/** Who is told of a session that is watched. */
export interface Listeners {
  readonly onChange: (found: LocatedLive) => void
  /** `none`: there was no session from the beginning. */
  readonly onEnd: (reason: DeadReason | 'none') => void
}

/** Watches one session until it ends or is closed. Neither throws nor rejects: a store that is away is asked again. */
export class Watching {
  readonly #core: Core
  readonly #tools: FollowerTools
  readonly #listeners: Listeners
  readonly #bell: Bell = new Bell()
  #follower: Follower | undefined
  #isOver = false

  /** `find` is asked once for each heartbeat until the store answers it. */
  constructor(tools: FollowerTools, find: () => Promise<Beginning>, listeners: Listeners) {
    this.#core = tools.core
    this.#tools = tools
    this.#listeners = listeners
    void this.#run(find)
  }

  close(): void {
    this.#isOver = true
    this.#follower?.close()
    this.#bell.ring()
  }

  async #run(find: () => Promise<Beginning>): Promise<void> {
    let loaded = await find().catch(silence)
    while (loaded === undefined && !this.#isOver) {
      // oxlint-disable-next-line no-await-in-loop -- one try after another
      await this.#bell.heard(this.#core.heartbeatSeconds * 1000)
      // oxlint-disable-next-line no-await-in-loop -- the same
      if (!this.#isOver) loaded = await find().catch(silence)
    }
    if (loaded === undefined || this.#isOver) return
    if (loaded.state === 'none') this.#end('none')
    else if (loaded.state === 'dead') this.#end(loaded.reason)
    else await this.#follow(loaded)
  }

  async #follow(first: Placed): Promise<void> {
    const usedAt = now(this.#core)
    const follower = new Follower(this.#tools, first, usedAt)
    this.#follower = follower
    let { revision } = first.record
    while (!this.#isOver) {
      // oxlint-disable-next-line no-await-in-loop -- one look after another
      const found = await follower.look().catch(silence)
      if (this.#isOver) return
      if (found?.state === 'over') return this.#end(found.reason)
      if (found !== undefined && found.record.revision !== revision) {
        ;({ revision } = found.record)
        tell(() => this.#listeners.onChange(found))
      }
      // oxlint-disable-next-line no-await-in-loop -- and waits in between
      await follower.heard()
    }
  }

  #end(reason: DeadReason | 'none'): void {
    this.close()
    tell(() => this.#listeners.onEnd(reason))
  }
}

/** Nobody answered: it is asked again. */
function silence(): undefined {
  return undefined
}

/** What a listener throws is the app's, as in any listener of an event, and must not end the watching. */
function tell(run: () => void): void {
  try {
    run()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
