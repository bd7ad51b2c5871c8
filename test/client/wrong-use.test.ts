// Typing errors that no compiler saw: each is an error at the call, with a code and a sentence that names what there is.
import { describe, expect } from 'vitest'
import { SessionError, createSession } from 'session-mirror'
import { defineSession, hidden, readable, writable } from 'session-mirror/schema'
import { schema, test } from './harness.ts'

/** What a caller without types may give. */
// oxlint-disable-next-line no-explicit-any -- that is what is tested
const any = (value: unknown): any => value

function errorOf(run: () => unknown): SessionError {
  try {
    run()
  } catch (error) {
    if (error instanceof SessionError) return error
    throw error
  }
  throw new Error('Nothing was refused.')
}

describe('wrong names and listeners', () => {
  test('a key that the schema does not have cannot be subscribed to', async ({ open }) => {
    const session = await open()
    const subscribe = (key: string): unknown => session.subscribe(any(key), () => undefined)
    expect(errorOf(() => subscribe('thema'))).toMatchObject({ code: 'unknown-key' })
    expect(errorOf(() => subscribe('secret'))).toMatchObject({ code: 'denied' })
    expect(errorOf(() => session.subscribe(any('theme'), any(undefined))).code).toBe('invalid-option')
  })

  test('an event that there is not cannot be listened to, and the sentence names those that there are', async ({
    open,
  }) => {
    const session = await open()
    const error = errorOf(() => session.on(any('expired'), () => undefined))
    expect([error.code, error.message]).toEqual(['invalid-option', expect.stringContaining('expiring')])
    expect(errorOf(() => session.on(any('constructor'), () => undefined)).code).toBe('invalid-option')
    expect(errorOf(() => session.on('status', any('log'))).code).toBe('invalid-option')
  })

  test('a sign-out with an option that there is not is refused, and nobody is signed out', async ({
    signedIn,
  }) => {
    const session = await signedIn()
    const refused = { code: 'invalid-option' }
    await expect(session.signOut(any({ pending: 'keep' }))).rejects.toMatchObject(refused)
    await expect(session.signOut(any({ everwhere: true }))).rejects.toMatchObject(refused)
    expect(session.owner).toBe('ada')
  })
})

describe('options of createSession', () => {
  test.for<[string, object, string]>([
    ['an unknown name', { base: '/session' }, '"base"'],
    [
      'a migrate that is no function',
      { migrate: { theme: 'light' } },
      'migrate must be function, not object',
    ],
    ['an onParked that is no function', { onParked: true }, 'onParked must be function, not true'],
    ['a text in place of a number', { warnSeconds: '60' }, 'warnSeconds must be number, not 60'],
    ['a number that is none', { warnSeconds: Number.NaN }, 'warnSeconds must be number, not NaN'],
    ['a word that does not exist', { keepAlive: 'always' }, 'activity or requests, not always'],
    ['null', { storage: null }, 'storage must be object, not null'],
    ['true for the worker', { worker: true }, 'worker must be string or object or false, not true'],
    ['a wrong option of the worker', { worker: { url: '/w.js', apis: [] } }, '"apis"'],
    ['a worker without its script', { worker: { api: [] } }, 'url'],
    ['a boot key that is a typing error', { boot: ['thema'] }, '"thema"'],
    ['no list of boot keys', { boot: 'theme' }, 'boot must be object, not theme'],
    ['the keys in place of a schema', { schema: schema.keys }, 'defineSession'],
  ])('createSession refuses %s', ([, wrong, sentence]) => {
    const error = errorOf(() => createSession(any({ schema, ...wrong })))
    expect([error.code, error.message]).toEqual(['invalid-option', expect.stringContaining(sentence)])
  })

  test('createSession refuses what is no object, and no schema at all', () => {
    expect(errorOf(() => createSession(any(undefined))).code).toBe('invalid-option')
    expect(errorOf(() => createSession(any({}))).code).toBe('invalid-option')
  })
})

describe('keys of a schema', () => {
  test.for<[string, () => unknown, string]>([
    ['an unknown option', () => writable(any({ polcy: 'if-unchanged' })), '"policy"'],
    [
      'an unknown option beside a validator',
      () => readable(any(validator), any({ defualt: 1 })),
      '"default"',
    ],
    ['a policy that does not exist', () => writable(any({ policy: 'last-writes-win' })), '"last-writes-win"'],
    ['a merge that is no function', () => writable(any({ policy: { merge: 'union' } })), '{ merge }'],
    ['a policy of a key that no browser writes', () => readable(any({ policy: 'if-unchanged' })), '"policy"'],
    ['a bare value', () => hidden(any('light')), '"light"'],
    [
      'an option of a counter',
      () => Reflect.apply(writable.counter, undefined, [{ default: 5 }]),
      '"default"',
    ],
    ['what is no key', () => defineSession(any({ theme: 'light' })), '"theme"'],
  ])('a schema refuses %s where it is written', ([, define, sentence]) => {
    const error = errorOf(define)
    expect([error.code, error.message]).toEqual(['invalid-option', expect.stringContaining(sentence)])
  })
})

const validator = {
  '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) },
}
