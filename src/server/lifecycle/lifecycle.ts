// The toolbox that every request works with: what writes sessions, made once for each server (and once for each request
// where sessions are kept in the cookie).
import type { Core } from '../core/core.ts'
import { type Commit, createCommit } from './commit.ts'
import { type Owners, createOwners } from './owners.ts'
import { type Rotate, createRotate } from './rotate.ts'

export interface Lifecycle {
  readonly core: Core
  /** Stores changes of a session. */
  readonly commit: Commit
  /** Lists and ends the sessions of an owner. */
  readonly owners: Owners
  /** Gives a session a new id when one is due. */
  readonly rotate: Rotate
}

export function createLifecycle(core: Core): Lifecycle {
  return { core, commit: createCommit(core), owners: createOwners(core), rotate: createRotate(core) }
}
