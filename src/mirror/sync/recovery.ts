// The way back from memory to the disk: a disk that was sick once is tried again, and takes over what memory has. And what is owed
// to it meanwhile: a session that ends while the disk does not hear of it must not be there at the next start.
import { type LocalState, type Parcel, pendingOf } from '../steps/local-state.ts'
import { leaverOf, mergeMemory } from '../steps/memory-merge.ts'
import type { DiskMark } from '../storage/fallback-storage.ts'
import type { Journal } from '../storage/storage.ts'
import type { TabMirror } from '../tabs/tab-mirror.ts'
import { toParcel } from './parking.ts'

export interface RecoveryOptions {
  readonly mirror: TabMirror
  readonly mark: DiskMark | undefined
  readonly journal: Journal | undefined
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** The disk is back: what was waiting on it wants to be sent. */
  readonly onDisk: () => void
}

export interface Recovery {
  /** The page has started: soon what an earlier page of this tab has left is looked for, which had no disk. */
  begin(): void
  /** Whether nothing of a session that is over is left on this device, by now. Tries what can be done about it. Never rejects. */
  cleanUp(): Promise<boolean>
  close(): void
}

/** Until the next try, doubled with each one. */
const firstPauseMilliseconds = 1000
const longestPauseMilliseconds = 60_000
/** Of one attempt, while others write. */
const mostTries = 5
/** A page begins with what people see. Opening sessionStorage takes time where the origin keeps much in it. */
const journalMilliseconds = 1000

export function createRecovery(options: RecoveryOptions): Recovery {
  const { mirror, mark, now, onDisk } = options
  let looking: ReturnType<typeof setTimeout> | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let pause = firstPauseMilliseconds
  let trying: Promise<boolean> | undefined

  function later(): void {
    clearTimeout(timer)
    if (!mirror.isDiskWaiting) return
    timer = setTimeout(() => void attempt(), pause)
    unref(timer)
    pause = Math.min(longestPauseMilliseconds, pause * 2)
  }

  async function attempt(): Promise<boolean> {
    if (!mirror.isDiskWaiting) return false
    trying ??= takeBack(mirror, now)
      .catch(() => false)
      .then((isBack) => {
        trying = undefined
        if (isBack) {
          pause = firstPauseMilliseconds
          onDisk()
        } else later()
        return isBack
      })
    return trying
  }

  function settle(): Promise<boolean> {
    return attempt().then((isBack) => isBack || mirror.clearDisk())
  }

  mirror.onDurability(({ durability }) => {
    if (durability === 'memory') later()
    else clearTimeout(timer)
  })
  const stopChanges = mirror.onChange((after, before) => {
    const { epoch, life } = after.mirror
    if (epoch === before.mirror.epoch && life === before.mirror.life) return
    if (mirror.durability === 'disk') return mark?.write(undefined)
    mark?.write(epoch)
    // Else what is unsent there may still be kept for its owner: the mark is enough.
    if (life !== before.mirror.life) void (isSignedOut(after) ? settle() : attempt())
  })

  return {
    begin() {
      looking = setTimeout(
        () => void takeJournal(options).then((isTaken) => isTaken && onDisk()),
        journalMilliseconds,
      )
      unref(looking)
    },
    async cleanUp() {
      return mirror.durability === 'disk' || settle()
    },
    close() {
      stopChanges()
      clearTimeout(timer)
      clearTimeout(looking)
    },
  }
}

/** Node (tests, server rendering) would be kept alive; a browser's timer is a number. */
function unref(timer: unknown): void {
  ;(timer as { readonly unref?: () => void }).unref?.()
}

/** Whether there was something, which the disk has by now. Never rejects. */
async function takeJournal({ mirror, journal, now }: RecoveryOptions): Promise<boolean> {
  if (journal === undefined || mirror.durability === 'memory') return false
  const left = await journal.take()
  if (left === undefined || pendingOf(left).length === 0) return false
  const parcel = await parcelOfLeaver({ disk: mirror.state, memory: left }, now())
  let isTaken = false
  await mirror.transact((disk) => {
    const merged =
      mirror.durability === 'memory' ? undefined : mergeMemory(disk, left, { parcel, newest: [] })
    isTaken = merged !== undefined
    return merged ?? disk
  }, 'strict')
  if (isTaken) journal.drop()
  return isTaken
}

/** Whether the disk has all by now. Rejects as long as it does not answer. */
async function takeBack(mirror: TabMirror, now: () => number): Promise<boolean> {
  for (let tries = 0; tries < mostTries; tries++) {
    const disk = await mirror.probeDisk()
    const known = mirror.state
    const leaver = leaverOf(disk, known)
    const parcel = await parcelOfLeaver({ disk, memory: known }, now())
    let isOther = false
    const isBack = await mirror.takeDiskBack((current, memory, made) => {
      isOther =
        !isSameOutbox(current, disk) || !isSameOutbox(memory, known) || leaverOf(current, memory) !== leaver
      return isOther ? undefined : mergeMemory(current, memory, { parcel, ...made })
    })
    // Somebody has written meanwhile: with that, once more.
    if (isBack || !isOther) return isBack
  }
  return false
}

/** What is unsent of who has left is kept, encrypted; but who signs out gives it up. */
async function parcelOfLeaver(
  states: { readonly disk: LocalState; readonly memory: LocalState },
  now: number,
): Promise<Parcel | undefined> {
  const leaver = leaverOf(states.disk, states.memory)
  if (leaver === undefined) return undefined
  const stays = states[leaver === 'disk' ? 'memory' : 'disk']
  return isSignedOut(stays) || pendingOf(states[leaver]).length === 0
    ? undefined
    : toParcel(states[leaver], now)
}

function isSignedOut({ mirror: { ending } }: LocalState): boolean {
  return ending?.state === 'signed-out' && ending.reason === 'signed-out'
}

function isSameOutbox(a: LocalState, b: LocalState): boolean {
  return a.outbox.version === b.outbox.version && stampsOf(a) === stampsOf(b)
}

function stampsOf({ open }: LocalState): string {
  return open.map(({ stamp }) => stamp).join()
}
