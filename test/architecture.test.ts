// What the compiler cannot see: which packages a room imports, what a door may do, what is exported.
import { readFileSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { filesBelow, readSource, root, short, src } from './support/sources.ts'
import { sharedVariables } from './support/shared-variables.ts'

const packagesOf: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  mirror: ['idb'],
  client: ['workbox-window'],
  worker: [],
  stores: [
    'node:buffer',
    'node:crypto',
    'node:diagnostics_channel',
    'node:events',
    'node:fs',
    'node:net',
    'node:path',
    'node:sqlite',
    'node:timers',
    'node:tls',
  ],
  server: [
    'fastify',
    'node:async_hooks',
    'node:cluster',
    'node:crypto',
    'node:diagnostics_channel',
    'node:http',
    'node:http2',
    'node:stream',
  ],
  testing: ['@noble/hashes', 'msw'],
  // It writes an entry that imports the app's own session-mirror.
  vite: ['session-mirror', 'node:fs', 'node:http', 'node:module', 'node:path', 'vite'],
}
const code = (file: string): string => readFileSync(file, 'utf8').replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, '')
const importsOf = (file: string): string[] =>
  [...code(file).matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '')
const packageOf = (specifier: string): string =>
  specifier.startsWith('@') ? specifier.split('/').slice(0, 2).join('/') : (specifier.split('/')[0] ?? '')

describe.each(Object.entries(packagesOf))('the room %s', (room, allowed) => {
  test('a room imports only its own packages', () => {
    const used = filesBelow(join(src, room)).flatMap((file) =>
      importsOf(file).filter((name) => !name.startsWith('.')),
    )
    expect(used.filter((name) => !allowed.includes(packageOf(name)))).toEqual([])
  })
})

test('the server’s rooms but node/ are compiled without Node’s types, so that they also run in a browser', () => {
  const rooms = readdirSync(join(src, 'server'), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  )
  const typesOf = (room: string): unknown =>
    (
      JSON.parse(readFileSync(join(src, 'server', room, 'tsconfig.json'), 'utf8')) as {
        compilerOptions: { types: unknown }
      }
    ).compilerOptions.types
  const withNode = rooms.map(({ name }) => name).filter((name) => JSON.stringify(typesOf(name)) !== '[]')
  expect(withNode).toEqual(['node'])
})

test('a room of the server has at most eleven files, and all of the server is in rooms', () => {
  const entries = readdirSync(join(src, 'server'), { withFileTypes: true })
  const sizes = entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => [name, filesBelow(join(src, 'server', name)).length] as const)
  expect(sizes.filter(([, size]) => size > 11)).toEqual([])
  // The list of the rooms, for the compiler.
  const flat = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name)
  expect(flat).toEqual(['tsconfig.json'])
})

test('no file imports itself through others, and not even a type', () => {
  const arrows = new Map(
    filesBelow(src).map((file) => [
      file,
      importsOf(file)
        .filter((name) => name.startsWith('.'))
        .map((name) => join(file, '..', name)),
    ]),
  )
  const below = (file: string, path: readonly string[]): readonly string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (clean.has(file)) return undefined
    for (const next of arrows.get(file) ?? []) {
      const circle = below(next, [...path, file])
      if (circle !== undefined) return circle
    }
    clean.add(file)
    return undefined
  }
  const clean = new Set<string>()
  const circles = [...arrows.keys()].map((file) => below(file, [])).filter((circle) => circle !== undefined)
  expect(circles).toEqual([])
})

test('no exported name is defined twice', () => {
  const files = new Map<string, string[]>()
  for (const file of filesBelow(src)) {
    const { declared, exported } = readSource(file)
    for (const name of exported)
      if (declared.has(name)) files.set(name, [...(files.get(name) ?? []), short(file)])
  }
  expect([...files].filter(([, found]) => found.length > 1)).toEqual([])
})

test('tests share nothing by a variable: what they share is a fixture', () => {
  const files = filesBelow(join(root, 'test')).filter((file) => !file.includes('/node_modules/'))
  expect(files.flatMap((file) => sharedVariables(file).map((found) => `${short(file)}:${found}`))).toEqual([])
})

test('every door only re-exports', () => {
  const doors = readdirSync(src).filter((file) => file.endsWith('.ts') && !file.endsWith('-worker.ts'))
  const lines = doors.flatMap((door) =>
    readFileSync(join(src, door), 'utf8')
      .replaceAll(/\{[^}]*\}/g, '{}')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('//')),
  )
  expect(lines.filter((line) => !/^export (type )?(\{\}|\*) from '\.\/[\w/.-]+'$/.test(line))).toEqual([])
})

test('every door is an export of the package, and every export a door', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, unknown>
  }
  const exported = Object.keys(manifest.exports)
    .filter((name) => name !== './package.json')
    .map((name) => (name === '.' ? 'index' : basename(name, '.js').replace('./', '')))
  const doors = readdirSync(src)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => basename(file, '.ts'))
  expect(exported.toSorted()).toEqual(doors.toSorted())
})
