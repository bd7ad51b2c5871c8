// Signing out: the mirror is wiped first, in every tab, with or without a network; then the server is told.
import { SessionError } from '../protocol/errors.ts'
import { leave } from '../mirror/handover.ts'
import { pendingOf } from '../mirror/local.ts'
import type { TabMirror } from '../mirror/mirror.ts'
import { type Sync, sendOnly } from '../mirror/sync.ts'
import type { SignOutOptions } from './session.ts'

/** `flush` waits this many milliseconds for unsent changes: signing out must not hang on a dead network. */
const patience = 2000

export async function signOut(
  mirror: TabMirror,
  sync: Sync,
  { pending = 'flush' }: SignOutOptions,
): Promise<{ server: 'confirmed' | 'queued' }> {
  if (pendingOf(mirror.state).length > 0) {
    if (pending === 'refuse')
      throw new SessionError(
        'pending-writes',
        'There are unsent changes, and signOut was told to refuse them.',
      )
    if (pending === 'flush') await Promise.race([sync.run(sendOnly), after(patience)])
  }
  await mirror.transact(leave, 'strict')
  await Promise.race([sync.run(sendOnly), after(patience)])
  return { server: mirror.state.outbox.leaving === null ? 'confirmed' : 'queued' }
}

function after(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
