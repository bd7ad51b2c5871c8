// Signing out: the mirror is wiped first, in every tab, with or without a network; then the server is told.
import { SessionError } from '../protocol/errors.ts'
import { leave } from '../mirror/handover.ts'
import { anySession } from '../mirror/leaving.ts'
import { pendingOf } from '../mirror/local.ts'
import type { TabMirror } from '../mirror/mirror.ts'
import { type Contact, type Sync, askForNews, sendOnly } from '../mirror/sync.ts'
import type { SignOutOptions } from './session.ts'

/** Milliseconds that a step of signing out may take: it must not hang on a dead network. */
const patience = 2000

export async function signOut(
  mirror: TabMirror,
  sync: Sync,
  { pending = 'flush' }: SignOutOptions,
): Promise<{ server: 'confirmed' | 'queued' }> {
  // Another tab may have written, or the page may have just begun: what is on disk counts.
  await mirror.reload()
  if (pendingOf(mirror.state).length > 0) {
    if (pending === 'refuse') {
      throw new SessionError(
        'pending-writes',
        'There are unsent changes, and signOut was told to refuse them.',
      )
    }
    if (pending === 'flush') await inTime(sync.run(sendOnly))
  }
  // A sign-in by a plain form is not known here before the first answer: ask whose session it is that ends.
  const contact = mirror.state.mirror.mirror.epoch === null ? await inTime(sync.run(askForNews)) : 'live'
  await mirror.transact((state) => leave(state, contact === 'live' ? null : anySession), 'strict')
  await inTime(sync.run(sendOnly))
  return { server: mirror.state.mirror.leaving === null ? 'confirmed' : 'queued' }
}

function inTime(contact: Promise<Contact>): Promise<Contact> {
  const late = new Promise<Contact>((resolve) => setTimeout(resolve, patience, 'none'))
  return Promise.race([contact, late])
}
