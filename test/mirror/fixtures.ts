// What the tests of the mirror begin with: tabs of one browser on an IndexedDB of their own, mutations, and answers.
import 'fake-indexeddb/auto'
import { test as base } from 'vitest'
import type { MirrorMessage } from '../../src/protocol/messages.ts'
import type { Base, Mutation } from '../../src/protocol/mutation.ts'
import { type Epoch, emptyMirror } from '../../src/protocol/state.ts'
import { randomToken } from '../../src/mirror/steps/random-token.ts'
import { databaseStorage } from '../../src/mirror/storage/database-storage.ts'
import type { Storage } from '../../src/mirror/storage/storage.ts'
import { adoptAnswer } from '../../src/mirror/sync/handover.ts'
import { TabMirror } from '../../src/mirror/tabs/tab-mirror.ts'

interface MirrorFixtures {
  /** The name of this test's database and channel. */
  readonly databaseName: string
  /** Opens a tab that has read its storage. It is closed after the test. @default the database of this test */
  readonly openTab: (storage?: Storage) => Promise<TabMirror>
}

export const test = base.extend<MirrorFixtures>({
  // oxlint-disable-next-line no-empty-pattern -- Vitest reads the pattern to learn which fixtures are needed
  databaseName: async ({}, use) => use(`mirror-${randomToken()}`),
  openTab: async ({ databaseName }, use) => {
    const opened: TabMirror[] = []
    await use(async (storage = databaseStorage(databaseName)) => {
      const mirror = new TabMirror({ storage, channel: databaseName, now: Date.now })
      opened.push(mirror)
      await mirror.reload()
      return mirror
    })
    for (const mirror of opened) mirror.close()
  },
})

export function setTo(key: string, value: string, from?: Base): Mutation {
  return { id: randomToken(), kind: 'set', key, value, ...(from === undefined ? {} : { base: from }) }
}

export function increment(key: string): Mutation {
  return { id: randomToken(), kind: 'increment', key, by: 1 }
}

/** An answer of the server: of no session, unless `change` says more. */
export function answerOf(change: Partial<MirrorMessage>): MirrorMessage {
  return { ...emptyMirror, since: null, removed: {}, freshIn: 900, expiresIn: 9000, parking: null, ...change }
}

/** The whole mirror of an owner's session. */
export function sessionOf(owner: string, change: Partial<MirrorMessage> = {}): MirrorMessage {
  // Its id tells nobody who the owner is, as the server's does not.
  const parking = `parking-${btoa(owner)}.${'k'.repeat(43)}`
  return answerOf({ epoch: `epoch-${owner}` as Epoch, owner, revision: 1, parking, ...change })
}

/** The tab takes an answer to a request that it has just sent. */
export function take(mirror: TabMirror, message: MirrorMessage): Promise<unknown> {
  const sent = { document: mirror.document, sealed: mirror.state.outbox.sealed }
  return adoptAnswer(mirror, message, { sent, now: Date.now })
}
