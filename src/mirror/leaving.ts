// What `leaving` may say beside the epoch of the session that is left.
import type { Epoch } from '../protocol/state.ts'

/**
 * Stands in `leaving` for "take note that this session is lost". It is no session's epoch, so a sign-out that
 * carries it can never end a live one; nor can an app request that carries it read one.
 */
export const acknowledgement = 'acknowledge' as Epoch
/** Stands in `leaving` for "whatever session the cookie names", when this browser has not been told which. */
export const anySession = 'any-session' as Epoch
