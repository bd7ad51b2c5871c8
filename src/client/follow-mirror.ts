// What a change of the mirror does in this page: the boot copy, the view, the writes, the status and the events follow it.
import type { Hint } from '../mirror/tabs/channel.ts'
import type { TabMirror } from '../mirror/tabs/tab-mirror.ts'
import { announce } from './announce.ts'
import type { BootCopy } from './boot.ts'
import { markRun } from './browser-run.ts'
import type { Writes } from './create-writes.ts'
import type { Emitter } from './events.ts'
import { isPrerendered } from './prerendering.ts'
import type { StatusTracker } from './status.ts'
import type { View } from './view.ts'

export interface Followers {
  readonly mirror: TabMirror
  readonly boot: BootCopy
  readonly view: View
  readonly writes: Writes
  readonly tracker: StatusTracker
  readonly emit: Emitter['emit']
  /** Asks the server for what a hint says there is. */
  readonly take: (hint: Hint) => unknown
}

/** From now on everything of this page follows the mirror. */
export function followMirror({ mirror, boot, view, writes, tracker, emit, take }: Followers): void {
  let pending = 0
  mirror.onChange((after, before) => {
    const { isReady } = tracker
    // Not before the start has looked for what an earlier run left, and not in a page that nobody has opened.
    if (isReady && !isPrerendered()) {
      markRun(mirror)
      boot.keep(mirror)
    }
    view.update(boot.over(after))
    // A subscriber may have written meanwhile: what is pending is what is pending now.
    writes.follow(mirror.state, before)
    const { length } = mirror.pending
    if (length !== pending) emit('pending', (pending = length))
    if (isReady) announce(emit, after, before)
    tracker.follow(after, before)
  })
  mirror.onHint((hint) => void take(hint))
  mirror.onDurability(({ durability, isOutdated }, next) => {
    writes.leaveOnDisk(next)
    emit('durability', durability)
    if (isOutdated) emit('outdated', {})
  })
}
