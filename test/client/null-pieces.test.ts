// Pretended browsers (happy-dom, jsdom) and old engines: pieces that are null, or missing, instead of there.
import { describe, expect, vi } from 'vitest'
import { IDBFactory } from 'fake-indexeddb'
import { test } from './harness.ts'

const absent: readonly [string, unknown][] = [
  ['null', null],
  ['missing', undefined],
]

describe('a browser whose pieces are not there', () => {
  test.for(absent)(
    'a session works where locks, workers, channels and storages are %s',
    async ([, piece], { create, onServer, onTestFinished }) => {
      onTestFinished(() => void vi.unstubAllGlobals())
      vi.stubGlobal('navigator', { locks: piece, serviceWorker: piece })
      for (const name of ['BroadcastChannel', 'localStorage', 'sessionStorage', 'reportError'])
        vi.stubGlobal(name, piece)
      const session = create({ worker: '/session-worker.js', boot: ['theme'], live: false })
      await session.known
      expect(session.status).toEqual({ state: 'live' })
      expect(await session.set('theme', 'dark').acknowledged).toMatchObject({ code: 'ok' })
      expect(await onServer((own) => own.get('theme'))).toBe('dark')
      await vi.waitFor(() => expect(session.inspect().worker).toBe('unsupported'))
      expect(await session.signOut()).toEqual({ server: 'confirmed', device: 'clean' })
    },
  )

  test.for(absent)(
    'a session goes on in memory where IndexedDB is %s',
    async ([, piece], { create, onTestFinished }) => {
      onTestFinished(() => {
        vi.unstubAllGlobals()
        globalThis.indexedDB = new IDBFactory()
      })
      vi.stubGlobal('indexedDB', piece)
      const session = create({ boot: ['theme'] })
      await session.known
      expect([session.durability, session.status]).toEqual(['memory', { state: 'live' }])
      expect(await session.set('theme', 'dark').acknowledged).toMatchObject({ code: 'ok' })
    },
  )

  test.for(absent)(
    'the event stream is opened where locks are %s',
    async ([, piece], { signedIn, server, onTestFinished }) => {
      onTestFinished(() => void vi.unstubAllGlobals())
      vi.stubGlobal('navigator', { locks: piece })
      const session = await signedIn({ live: true })
      await vi.waitFor(() => expect(server.calls.some((call) => call.includes('/events'))).toBe(true))
      session.close()
    },
  )
})
