// What a batch may add to the record and to the answer: bounded, whatever validators and conflicts say.
import { describe, expect, test, vi } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { type SessionSchema, defineSession, hidden, writable } from '../../../src/schema.ts'
import * as limits from '../../../src/protocol/limits.ts'
import { createSessions } from '../../../src/server.ts'
import { wrapStore } from '../../../src/stores/wrapped-store.ts'
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

describe('merges of many requests at once', () => {
  const count = 40

  /** What is merged between two writes to the store, while `count` requests of one session wait; a store may be overtaken. */
  async function race(overtaken: number) {
    let merged = 0
    let lost = overtaken
    const groups: number[] = []
    const merge = (_base: unknown, mine: readonly string[], theirs?: readonly string[]) => {
      merged++
      return [...(theirs ?? []), ...mine]
    }
    const schema = defineSession({ tags: writable<readonly string[]>({ default: [], policy: { merge } }) })
    const store = wrapStore(memoryStore(), async ({ operation }, run) => {
      if (operation !== 'replace') return run()
      groups.push(merged)
      merged = 0
      return lost-- > 0 ? ({ kind: 'conflict' } as never) : run()
    })
    const sessions = createSessions({ schema, secrets, store })
    const browser = createBrowser(sessions as never)
    await browser.sync([{ kind: 'set', key: 'tags', value: ['first'] }] as never)
    const { epoch } = (await browser.get()).message
    const names = Array.from({ length: count }, (_, index) => `tag ${index}`)
    const base = { epoch, revision: 0, value: [] }
    const replies = await Promise.all(
      names.map((name, index) =>
        browser.sync([{ kind: 'set', key: 'tags', value: [name], base }] as never, {
          epoch,
          number: index + 100,
          client: 'another-client-of-test',
        }),
      ),
    )
    const { message } = await browser.get()
    return { statuses: new Set(replies.map(({ status }) => status)), groups, names, keys: message.keys }
  }

  test('few are made in one turn, the others wait for it, and none is lost', async () => {
    const { statuses, groups, names, keys } = await race(0)
    expect(statuses).toEqual(new Set([200]))
    expect(Math.max(...groups)).toBeLessThanOrEqual(limits.mergingWriters)
    expect(keys?.['tags']?.[1]).toEqual(['first', ...names])
  })

  test('another process that was quicker makes few of them run again', async () => {
    const { statuses, groups } = await race(3)
    expect(statuses).toEqual(new Set([200]))
    expect(groups.reduce((sum, merges) => sum + merges, 0)).toBeLessThanOrEqual(
      count + 3 * limits.mergingWriters,
    )
  })
})

describe('what is merged for one batch', () => {
  const base = (epoch: unknown) => ({ epoch, revision: 0, value: ['a'] })

  async function stage() {
    const merge = vi.fn((_base: unknown, mine: readonly string[], theirs?: readonly string[]) => [
      ...(theirs ?? []),
      ...mine,
    ])
    const schema = defineSession({
      tags: writable<readonly string[]>({ default: [], policy: { merge } }),
      words: writable<readonly string[]>({ default: [], policy: { merge } }),
    })
    const sessions = createSessions({ schema, secrets, store: memoryStore() })
    const browser = createBrowser(sessions as never)
    await browser.sync([{ kind: 'set', key: 'tags', value: ['x'.repeat(200_000)] }])
    const { epoch } = (await browser.get()).message
    return { browser, epoch, merge }
  }

  test('two mutations of one key that depend on a value are refused, and nothing is merged or changed', async () => {
    const { browser, epoch, merge } = await stage()
    const stale = { kind: 'set', key: 'tags', value: ['b'], base: base(epoch) } as never
    const before = (await browser.get()).message
    const reply = await browser.sync([stale, { kind: 'set', key: 'words', value: ['c'] }, stale], { epoch })
    expect([reply.status, reply.code]).toEqual([400, 'malformed'])
    expect(reply.body).toContain('Send the second one with the next batch.')
    expect(merge).not.toHaveBeenCalled()
    expect((await browser.get()).message).toEqual(before)
  })

  test('a batch is merged once for each key, however many mutations it has', async () => {
    const { browser, epoch, merge } = await stage()
    const of = (key: string) => ({ kind: 'set', key, value: ['b'], base: base(epoch) }) as never
    const plain = Array.from({ length: 198 }, () => ({ kind: 'set', key: 'tags', value: ['c'] }) as const)
    const reply = await browser.sync([of('tags'), of('words'), ...plain], { epoch })
    expect(reply.status).toBe(200)
    expect(merge.mock.calls.length).toBeLessThanOrEqual(2)
  })
})

test('a conflict that is told again shows no value of a key that has become hidden', async () => {
  const store = memoryStore()
  const optionsOf = (schema: SessionSchema) => ({ schema, secrets, store })
  const before = createSessions(
    optionsOf(defineSession({ note: writable<string>({ policy: 'if-unchanged' }) })),
  )
  const after = createSessions(optionsOf(defineSession({ note: hidden<string>() })))
  const browser = createBrowser(before as never)
  await browser.sync([{ kind: 'set', key: 'note', value: 'sesame' }] as never)
  const { epoch } = (await browser.get()).message
  const stale = {
    id: 'mutation-of-test',
    kind: 'set',
    key: 'note',
    value: 'mine',
    base: { epoch, revision: 0 },
  }
  const again = { epoch, number: 9, client: 'client-of-test' }
  expect((await browser.sync([stale] as never, again)).message.outcomes).toEqual([
    { code: 'conflict', revision: 1, value: 'sesame' },
  ])
  const reply = await createBrowser(after as never, browser.cookie).sync([stale] as never, again)
  expect([reply.status, reply.message.outcomes]).toEqual([200, [{ code: 'conflict', revision: 0 }]])
  expect(reply.body).not.toContain('sesame')
})
