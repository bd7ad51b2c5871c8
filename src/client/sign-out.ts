// Signing out: the mirror is wiped first, in every tab, with or without a network; then the server is told.
import { SessionError } from '../protocol/errors.ts'
import { signOutHere } from '../mirror/steps/sign-out.ts'
import type { TabMirror } from '../mirror/tabs/tab-mirror.ts'
import type { Transport } from '../mirror/wire/transport.ts'
import { askForNews, sendOnly } from '../mirror/sync/sync.ts'
import { type KindsOf, checkGiven } from './given-options.ts'
import { untilOpened } from './prerendering.ts'
import type { ServerLink } from './server-link.ts'
import type { SignOutOptions, SignedOut } from './session.ts'

/** A step of signing out takes no longer than this: it must not hang on a dead network. */
const signOutStepTimeoutMilliseconds = 2000

const signOutKinds: KindsOf<SignOutOptions> = {
  pending: 'flush discard refuse',
  everywhere: 'boolean',
}

/** @throws SessionError `pending-writes` with `pending: 'refuse'`; `invalid-option` */
export async function signOut(
  mirror: TabMirror,
  { sync, cleanUp }: Pick<ServerLink, 'sync' | 'cleanUp'>,
  how: SignOutOptions,
): Promise<SignedOut> {
  checkGiven('session.signOut', how, signOutKinds)
  const { pending = 'flush', everywhere = false } = how
  await untilOpened()
  // Another tab may have written, or the page may have just begun: what is on disk counts.
  await mirror.reload()
  if (mirror.pending.length > 0) {
    if (pending === 'refuse') {
      throw new SessionError(
        'pending-writes',
        `${mirror.pending.length} changes are unsent, and signOut was told to refuse them.`,
      )
    }
    if (pending === 'flush') await inTime(sync.run(sendOnly, 'person'))
  }
  // A sign-in by a plain form is not known here before the first answer: ask whose session it is that ends.
  const contact = mirror.epoch === null ? await inTime(sync.run(askForNews, 'person')) : 'live'
  const orAny = contact !== 'live'
  await mirror.transact((state) => signOutHere(state, { orAny, isEverywhere: everywhere }), 'strict')
  const [isClean] = await Promise.all([inTime(cleanUp()), inTime(sync.run(sendOnly, 'person'))])
  const { leaving, everywhere: heard } = mirror.document
  const server = leaving === null ? 'confirmed' : 'queued'
  const device = isClean === true ? 'clean' : 'owed'
  return everywhere
    ? { server, device, everywhere: heard === 'wanted' || heard === undefined ? 'queued' : heard }
    : { server, device }
}

/** @throws SessionError with the server's code; `store-unavailable` when it cannot be reached */
export async function endOthers(mirror: TabMirror, transport: Transport): Promise<void> {
  await untilOpened()
  const { epoch } = mirror
  if (epoch === null) return
  const answer = await transport.endOthers(epoch)
  if (answer.kind === 'problem')
    throw new SessionError(answer.code, `The server answered ${answer.code}: no other session was ended.`)
  if (answer.kind === 'unreachable')
    throw new SessionError('store-unavailable', 'The server cannot be reached: no other session was ended.')
}

/** Waits no longer than two seconds. */
export function inTime<T>(work: Promise<T>): Promise<T | 'none'> {
  const late = new Promise<'none'>((resolve) => setTimeout(resolve, signOutStepTimeoutMilliseconds, 'none'))
  return Promise.race([work, late])
}
