import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { mockWorkerScript, mockedWorker } from 'session-mirror/testing'
import { script } from '../../scripts/build.ts'

const msw = readFileSync(fileURLToPath(import.meta.resolve('msw/mockServiceWorker.js')), 'utf8')

describe('one worker for the session and msw', () => {
  test('the one worker is put together with the msw that is installed, the session first', async () => {
    const session = await script('mocked')
    const text = mockWorkerScript(session, msw)
    expect(text.startsWith(session)).toBe(true)
    // Byte for byte: msw asks its worker for a checksum.
    expect(text.endsWith(msw)).toBe(true)
    expect(session).not.toMatch(/^(import|export)\b/m)
  })

  test.each([
    [
      'calls what we call by another name',
      (text: string) => text.replaceAll('handleRequest', 'answerRequest'),
    ],
    [
      'has it take other things',
      (text: string) => text.replace('function handleRequest(event)', 'function handleRequest(event, id)'),
    ],
    [
      'listens in another way',
      (text: string) => text.replace("addEventListener('fetch'", "self.onfetch = ('fetch'"),
    ],
    ['is nothing', () => ''],
  ])('one worker is refused when msw’s script %s', async (_what, change) => {
    const session = await script('mocked')
    expect(() => mockWorkerScript(session, change(msw))).toThrow(
      expect.objectContaining({ code: 'unsupported' }),
    )
  })

  test('another script in the session’s place is refused', () => {
    expect(() => mockWorkerScript('self.onfetch = null', msw)).toThrow(
      expect.objectContaining({ code: 'unsupported' }),
    )
  })

  test('the one worker is registered by the url that the SDK uses', () => {
    expect(mockedWorker({ url: '/w.js', api: ['/a/', 'https://b.example'], scope: '/' }, '/s')).toEqual({
      url: '/w.js?session=%2Fs&api=%2Fa%2F%2Chttps%3A%2F%2Fb.example',
      options: { updateViaCache: 'none', scope: '/' },
    })
  })
})
