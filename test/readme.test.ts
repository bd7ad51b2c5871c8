// What the README shows compiles: every snippet that names its file, as the files of one project.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const parent = join(root, 'node_modules/.cache')
mkdirSync(parent, { recursive: true })
// Below the project, so that `session-mirror` and `express` are found as a user's would be.
const folder = mkdtempSync(join(parent, 'readme-'))
afterAll(() => rmSync(folder, { recursive: true }))

const snippets = [
  ...readFileSync(join(root, 'README.md'), 'utf8').matchAll(
    /```ts\n(\/\/ ([\w.]+\.ts)\b[^\n]*\n[^`]*(?:`[^`]+`[^`]*)*?)```/g,
  ),
]
  .map(([, code = '', file = '']) => ({ file, code }))
  // The first screen's server has no imports, to stay short; `express.ts` is the whole of it.
  .filter(({ file }) => file !== 'server.ts')

test('there are snippets for browser, server, worker and tests', () => {
  expect(snippets.map(({ file }) => file).toSorted()).toEqual(
    [
      'app.test.ts',
      'express.ts',
      'fetch.ts',
      'http.ts',
      'main.ts',
      'owner.ts',
      'session.ts',
      'worker.ts',
    ].toSorted(),
  )
})

test('every one of them compiles with all strict flags', () => {
  for (const { file, code } of snippets) writeFileSync(join(folder, file), code)
  const flags = { composite: false, noEmit: true, emitDeclarationOnly: false, isolatedDeclarations: false }
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      ...flags,
      rewriteRelativeImportExtensions: false,
      noPropertyAccessFromIndexSignature: false,
      rootDir: root,
      lib: ['es2024', 'dom'],
      types: ['node'],
      typeRoots: [join(root, 'node_modules/@types')],
      paths: Object.fromEntries(
        ['', '/schema', '/server', '/node', '/memcached', '/memory', '/worker', '/testing'].map((door) => [
          `session-mirror${door}`,
          [join(root, `dist/types/${door === '' ? 'index' : door.slice(1)}.d.ts`)],
        ]),
      ),
    },
    files: snippets.map(({ file }) => file),
    references: [],
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  const compile = (): string => {
    try {
      return execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8' })
    } catch (error) {
      return String((error as { stdout?: unknown }).stdout)
    }
  }
  expect(compile()).toBe('')
})
