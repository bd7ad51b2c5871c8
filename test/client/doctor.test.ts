// What no browser here can show: a page by https whose server believes that it was plain.
import { afterEach, expect, test, vi } from 'vitest'
import { examineServer } from '../../src/client/doctor/server.ts'
import type { Patient } from '../../src/client/doctor/patient.ts'

afterEach(() => vi.unstubAllGlobals())

test('a server that trusts no proxy is found by a page that came by https', async () => {
  vi.stubGlobal('location', new URL('https://shop.example/'))
  const cookie = { name: 'session', secure: true, sameSite: 'Lax', partitioned: false }
  const answer = (secure: boolean): Partial<Patient> => ({
    base: '/session',
    mirror: { epoch: null } as never,
    now: () => 1_800_000_000_000,
    fetch: async () =>
      Response.json({ at: 1_800_000_000, secure, cookie, probe: 'arrived', session: 'sent' }),
  })
  expect(await examineServer(answer(true) as Patient)).toEqual([])
  expect((await examineServer(answer(false) as Patient)).map(({ code }) => code)).toEqual(['proxy-untrusted'])
})

test('a cookie of another app on this host is found, whatever the mirror shows', async () => {
  vi.stubGlobal('location', new URL('http://localhost:3000/'))
  const cookie = { name: 'session', secure: false, sameSite: 'Lax', partitioned: false }
  const patient = (session: string, epoch: string | null): Patient =>
    ({
      base: '/session',
      mirror: { epoch },
      now: () => 1_800_000_000_000,
      fetch: async () =>
        Response.json({ at: 1_800_000_000, secure: false, cookie, probe: 'arrived', session }),
    }) as never
  for (const epoch of [null, 'AAAAAAAAAAAAAAAA']) {
    // oxlint-disable-next-line no-await-in-loop -- one after another
    const findings = await examineServer(patient('other', epoch))
    expect(findings.map(({ code }) => code)).toEqual(['cookie-other'])
    expect(findings[0]?.advice).toContain('cookie.name')
  }
  expect(await examineServer(patient('none', null))).toEqual([])
})
