// The program, run as `npx` runs it.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { expect, test } from 'vitest'
import { memoryStore } from '../../src/memory.ts'
import { createSessions } from '../../src/server.ts'
import { schema } from '../server/harness.ts'

const program = join(import.meta.dirname, '../../src/bin/session-mirror.ts')
const run = (...parameters: string[]) =>
  spawnSync(process.execPath, [program, ...parameters], { encoding: 'utf8' })

test('the command secret prints a secret that createSessions takes, another one each time', () => {
  const [first, second] = [run('secret'), run('secret')]
  expect(first.status).toBe(0)
  expect(first.stdout).toMatch(/^[\w-]{43}\n$/)
  expect(second.stdout).not.toBe(first.stdout)
  const secrets = [first.stdout.trim(), second.stdout.trim()]
  expect(() => createSessions({ schema, secrets, store: memoryStore() })).not.toThrow()
})

test.each([[[]], [['secrets']], [['secret', 'extra']]])(
  'the command with %j says how it is used, and fails',
  (parameters) => {
    const { status, stdout, stderr } = run(...parameters)
    expect([status, stdout]).toEqual([2, ''])
    expect(stderr).toContain('Usage: session-mirror secret')
  },
)
