// What a batch may add to the record and to the answer: bounded, whatever validators and conflicts say.
import { expect, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { defineSession, writable } from '../../../src/schema.ts'
import { createSessions } from '../../../src/server.ts'
import { createBrowser, createWorld, secrets } from '../harness.ts'

test('what validators say does not fill the record', async () => {
  const validate = (value: unknown) =>
    value === 'ok' ? { value: 'ok' } : { issues: [{ message: `Not ${String(value)}` }] }
  const schema = defineSession({
    word: writable<string>({ '~standard': { version: 1, vendor: 'test', validate } }),
  })
  const sessions = createSessions({ schema, secrets, store: memoryStore() })
  const browser = createBrowser(sessions as never)
  await browser.sync([{ kind: 'set', key: 'word', value: 'ok' }])
  const { epoch } = (await browser.get()).message
  const bad = Array.from(
    { length: 200 },
    () => ({ kind: 'set', key: 'word', value: '\u0001'.repeat(200) }) as const,
  )
  for (let index = 0; index < 7; index++) {
    const name = `a-client-called-${index}`
    const { status, message } = await browser.sync(bad, { epoch, client: name, number: 1 })
    expect([status, message.outcomes?.length, message.outcomes?.[0]?.code]).toEqual([200, 200, 'invalid'])
  }
  const { record } = await sessions.inspect(browser.request('/'))
  expect(record?.bytes).toBeLessThan(150_000)
})

test('conflicts tell a value once for each key, not once for each mutation', async () => {
  const browser = createWorld().browser()
  const value = 'x'.repeat(100_000)
  await browser.sync([{ kind: 'set', key: 'draft', value }])
  const { epoch } = (await browser.get()).message
  const base = { epoch, revision: 0 }
  const stale = Array.from({ length: 200 }, () => ({ kind: 'set', key: 'draft', value: 'y', base }) as const)
  const { message, body } = await browser.sync(stale, { epoch })
  expect(message.outcomes?.filter((outcome) => outcome.code === 'conflict')).toHaveLength(200)
  expect(message.outcomes?.[0]).toMatchObject({ value })
  expect(body.length).toBeLessThan(400_000)
})
