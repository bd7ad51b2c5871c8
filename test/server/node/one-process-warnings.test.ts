// A store for one process, where there are several or where a restart matters: said once, when the sessions are made.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const src = join(import.meta.dirname, '../../../src')

/** What a process that runs `code` says of stores for one process. */
function warningsOf(code: string, environment: Readonly<Record<string, string>> = {}): string[] {
  const file = join(mkdtempSync(join(tmpdir(), 'session-mirror-')), 'app.mjs')
  const text = `
    import cluster from 'node:cluster'
    import { createSessions } from '${src}/server.ts'
    import { memoryStore } from '${src}/memory.ts'
    import { sqliteStore } from '${src}/sqlite.ts'
    import { defineSession } from '${src}/schema.ts'
    const secrets = ['a secret of the tests that is long enough']
    const make = (store) => createSessions({ schema: defineSession({}), secrets, store })
    ${code}
  `
  writeFileSync(file, text)
  const { stderr } = spawnSync(process.execPath, [file], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], ...environment },
  })
  return stderr.split('\n').filter((line) => line.includes('SESSION_MIRROR_ONE_PROCESS'))
}

test('the memory store in production is warned of once', () => {
  const warnings = warningsOf('make(memoryStore()); make(memoryStore())', { NODE_ENV: 'production' })
  expect(warnings).toEqual([expect.stringMatching(/memory store.*production.*docs\/stores\.md/)])
})

test('the memory store in development is not warned of', () => {
  expect(warningsOf('make(memoryStore())', { NODE_ENV: 'development' })).toEqual([])
})

test('a store that processes share is not warned of in production', () => {
  const code = "make(sqliteStore({ path: '/tmp/session-mirror-never-opened.sqlite' }))"
  expect(warningsOf(code, { NODE_ENV: 'production' })).toEqual([])
})

test('the memory store in a worker of a cluster is warned of once, and not in its primary', () => {
  const code =
    'make(memoryStore()); make(memoryStore()); cluster.isPrimary ? cluster.fork() : process.disconnect()'
  expect(warningsOf(code)).toEqual([expect.stringMatching(/one of several of a cluster/)])
})
