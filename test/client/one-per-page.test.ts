// Hot reloading and two entry points make a second session of one base: it is noticed. And what `close` and `using` do.
import { afterEach, expect, test, vi } from 'vitest'
import { createSession } from 'session-mirror'
import { schema } from './harness.ts'

afterEach(() => {
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

function pretendPage(): void {
  vi.stubGlobal('document', Object.assign(new EventTarget(), { visibilityState: 'visible', cookie: '' }))
  vi.stubGlobal('addEventListener', () => undefined)
}
const offline = async (): Promise<never> => {
  throw new TypeError('offline')
}
const open = (url: string) => createSession({ schema, url, fetch: offline, live: false })

test('a second session of one base in a page is named in the console; another base, or one after `close`, is not', () => {
  pretendPage()
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
  const first = open('http://localhost/one')
  const other = open('http://localhost/two')
  expect(warn).not.toHaveBeenCalled()
  const second = open('http://localhost/one')
  expect(warn.mock.calls.map(([text]) => String(text))).toEqual([
    expect.stringContaining('http://localhost/one'),
  ])
  first.close()
  first.close()
  // One of them is still open.
  const another = open('http://localhost/one')
  expect(warn).toHaveBeenCalledTimes(2)
  for (const session of [second, other, another]) session.close()
  const third = open('http://localhost/one')
  expect(warn).toHaveBeenCalledTimes(2)
  third.close()
})

test('`using` closes it', () => {
  pretendPage()
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
  {
    using session = open('http://localhost/used')
    expect(session.pending).toBe(0)
  }
  open('http://localhost/used').close()
  expect(warn).not.toHaveBeenCalled()
  const session = open('http://localhost/used')
  session[Symbol.dispose]()
  session[Symbol.dispose]()
  open('http://localhost/used').close()
  expect(warn).not.toHaveBeenCalled()
})
