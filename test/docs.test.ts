// What the documents claim and the code knows: links, tables of errors, routes, headers, channels, times and decisions.
// The limits have their own test, test/protocol/limits.test.ts.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { errorTable } from '../src/protocol/error-table.ts'
import { headers, routesOf } from '../src/protocol/names.ts'
import { timesOf } from '../src/server/core/assurance.ts'
import { watchedNames } from '../src/server/core/watch.ts'
import { root, short, src } from './support/sources.ts'
import { membersByName } from './support/surface.ts'

const documents = [
  ...['README.md', 'CHANGELOG.md', 'src/README.md'].map((name) => join(root, name)),
  ...readdirSync(join(root, 'docs')).map((name) => join(root, 'docs', name)),
]
const read = (name: string): string => readFileSync(join(root, name), 'utf8')

/** The text without code, in which a `#` is no heading and a bracket no link. */
const prose = (file: string): string =>
  readFileSync(file, 'utf8')
    .replaceAll(/^```[\s\S]*?^```/gm, '')
    .replaceAll(/`[^`\n]*\]\([^`\n]*`/g, '')

/** The name that a heading has in a link, as GitHub makes it. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\-_ ]/gu, '')
    .replaceAll(' ', '-')

const anchorsIn = (file: string): readonly string[] =>
  [...prose(file).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading))

/** The part of a document between this heading and the next one of the same or a higher level. */
function sectionOf(document: string, heading: string): string {
  const lines = document.split('\n')
  const start = lines.indexOf(heading)
  const level = /^#+/.exec(heading)?.[0].length ?? 0
  const length = lines.slice(start + 1).findIndex((line) => new RegExp(`^#{1,${level}} `).test(line))
  return lines.slice(start + 1, length === -1 ? undefined : start + 1 + length).join('\n')
}

/** The cells of a section's tables, without their heads. */
const rowsOf = (section: string): readonly (readonly string[])[] =>
  section
    .split('\n')
    .filter((line, index, lines) => line.startsWith('|') && lines[index + 1]?.startsWith('|---') !== true)
    .filter((line) => !line.startsWith('|---'))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )

const wordsIn = (cell: string): readonly string[] =>
  [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word)

test('every link between the documents leads to a file and a heading that exist', () => {
  const broken = documents.flatMap((file) =>
    [...prose(file).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)]
      .map(([link, path = '', anchor]) => {
        const target = path === '' ? file : join(dirname(file), path)
        const isThere = existsSync(target) && (anchor === undefined || anchorsIn(target).includes(anchor))
        return isThere ? undefined : `${short(file)}: ${link}`
      })
      .filter((link) => link !== undefined),
  )
  expect(broken).toEqual([])
})

describe('docs/protocol.md', () => {
  const protocol = read('docs/protocol.md')

  test('the protocol’s document lists every error code with its HTTP status', () => {
    const told = rowsOf(sectionOf(protocol, '## Errors')).flatMap(([codes = '', status = '']) => {
      const statuses = status.split(', ').map(Number)
      return wordsIn(codes).map((code, index) => [code, statuses[index] ?? statuses[0]] as const)
    })
    const answered = Object.entries(errorTable).map(([code, { status }]) => [code, status] as const)
    const byCode = (one: readonly [string, unknown], other: readonly [string, unknown]): number =>
      one[0].localeCompare(other[0])
    expect(
      told.map(([code, status]) => [code, Number.isNaN(status) ? 0 : status] as const).toSorted(byCode),
    ).toEqual(answered.toSorted(byCode))
  })

  test('the protocol’s document lists every session route', () => {
    const told = rowsOf(sectionOf(protocol, '## Routes (default base `/session`)')).flatMap(([route = '']) =>
      wordsIn(route).flatMap((word) => /^[A-Z]+ ([^?]+)/.exec(word)?.[1] ?? []),
    )
    expect([...new Set(told)].toSorted()).toEqual(Object.values(routesOf('/session')).toSorted())
  })

  test('the protocol’s document names every header of the protocol', () => {
    const told = protocol.toLowerCase()
    expect(Object.values(headers).filter((name) => !told.includes(`\`${name}`))).toEqual([])
  })
})

test('src/README.md names files and rooms that exist', () => {
  const named = [...prose(join(root, 'src/README.md')).matchAll(/`([a-z][\w-]*(?:\/[\w.*-]+)+)`/g)].map(
    ([, path = '']) => path,
  )
  const isThere = (path: string): boolean =>
    [join(src, path), join(src, `${path}.ts`), join(root, path.replace('/*.ts', ''))].some((place) =>
      existsSync(place),
    )
  const missing = named.filter((path) => !isThere(path))
  expect(named.length).toBeGreaterThan(100)
  expect(missing).toEqual([])
})

describe('docs/security.md', () => {
  test('the rules of security name tests that exist', () => {
    const rules = sectionOf(security, '## The rules')
    const named = rowsOf(rules).flatMap(([, , tests = '']) => wordsIn(tests))
    expect(named.length).toBeGreaterThan(60)
    expect(named.filter((name) => !name.includes(' ') && !isTest(name))).toEqual([])
  })

  test('the table of ASVS has every requirement of V7, and names tests that exist', () => {
    const rows = rowsOf(sectionOf(security, '## OWASP ASVS 5.0, chapter V7'))
    const numbers = rows.map(([requirement = '']) => requirement.split(' ')[0])
    // 7.1.1 to 7.6.2 of version 5.0.
    const counts = [3, 4, 2, 5, 3, 2]
    const all = counts.flatMap((count, index) =>
      Array.from({ length: count }, (_, number) => `7.${index + 1}.${number + 1}`),
    )
    expect(numbers).toEqual(all)
    const named = rows
      .flatMap(([, , how = '']) => wordsIn(how))
      .filter((word) => /^(?:server|e2e)\//.test(word))
    expect(named.length).toBeGreaterThan(8)
    expect(named.filter((name) => !isTest(name))).toEqual([])
  })

  const security = read('docs/security.md')
  const isTest = (name: string): boolean =>
    ['', '.test.ts', '.browser.test.ts', '.memcached.test.ts'].some((kind) =>
      existsSync(join(root, 'test', name + kind)),
    )
})

describe('docs/operations.md', () => {
  const operations = read('docs/operations.md')

  test('the document on operations lists every channel on which something is published', () => {
    const told = rowsOf(sectionOf(operations, '## Metrics'))
      .map(([channel = '', , when]) => (when === undefined ? '' : (wordsIn(channel)[0] ?? '')))
      .filter((channel) => channel !== '')
    expect(told.toSorted()).toEqual([...watchedNames, 'node'].toSorted())
  })

  test('the document on operations gives the default times as they are', () => {
    const rows = rowsOf(sectionOf(operations, '## Times'))
    const told = new Map(
      rows.map(([option = '', value = '']) => [wordsIn(option)[0], Number(value.replaceAll(' ', ''))]),
    )
    const times = Object.entries(timesOf({}))
    expect(times.map(([name]) => [name, told.get(name)])).toEqual(times)
  })
})

describe('docs/decisions.md', () => {
  const decisions = read('docs/decisions.md')
  const titles = [...decisions.matchAll(/^### (.*)$/gm)].map(([, title = '']) => title)

  test('the table of contents has every decision, in order', () => {
    const listed = [...decisions.matchAll(/^- \[(.*)\]\(#[^)]*\)$/gm)].map(([, title = '']) => title)
    expect(listed).toEqual(titles)
  })

  test('each decision says what was decided, rejected and measured, and when to look again', () => {
    const parts = ['- **Decision:**', '- **Rejected:**', '- **Measured:**', '- **Revisit when**']
    const incomplete = titles.filter((title) => {
      const section = sectionOf(decisions, `### ${title}`)
      return parts.some((part) => section.split(part).length !== 2)
    })
    expect(incomplete).toEqual([])
  })
})

describe('the tables of options and members', () => {
  const members = (
    ...types: readonly (readonly [door: string, type: string])[]
  ): ReadonlyMap<string, string> =>
    new Map(types.flatMap(([door, type]) => [...membersByName(join(src, door), type)]))

  /** The rows of all tables of a document with this head. */
  const tableOf = (document: string, head: string): readonly (readonly string[])[] =>
    read(document)
      .split(`${head}\n`)
      .slice(1)
      .flatMap((rest) => rowsOf(rest.slice(0, rest.search(/\n(?!\|)/))))

  test.each([
    ['README.md', '| on the server | does |', members(['server.ts', 'ServerSession'])],
    ['README.md', '| option of `createSessions` | does |', members(['server.ts', 'CoreOptions'])],
    [
      'README.md',
      '| in the browser | does |',
      members(['index.ts', 'Session'], ['index.ts', 'SessionOptions']),
    ],
    [
      'docs/operations.md',
      '| option | default | what it does | change it when |',
      members(['server.ts', 'CoreOptions'], ['memcached.ts', 'MemcachedStoreOptions']),
    ],
    [
      'docs/stores.md',
      '| option | default | |',
      members(
        ['sqlite.ts', 'SqliteStoreOptions'],
        ['file.ts', 'FileStoreOptions'],
        ['unstorage.ts', 'UnstorageStoreOptions'],
      ),
    ],
    ['docs/worker.md', '| option | |', members(['vite.ts', 'SessionMirrorOptions'])],
  ] as const)('%s, "%s", names what exists', (document, head, known) => {
    const rows = tableOf(document, head)
    const named = rows.flatMap(([cell = '']) => wordsIn(cell).map((word) => /^\w+/.exec(word)?.[0] ?? word))
    expect(rows.length).toBeGreaterThan(3)
    expect(named.filter((name) => name !== 'createSession' && !known.has(name))).toEqual([])
  })

  test('docs/stores.md gives the defaults that the docstrings give', () => {
    const rows = tableOf('docs/stores.md', '| option | default | |')
    const types = ['sqlite.ts', 'file.ts', 'unstorage.ts'].map((door) => {
      const name = `${door[0]?.toUpperCase()}${door.slice(1, -3)}StoreOptions`
      return membersByName(join(src, door), name)
    })
    const known = new Set(
      types.flatMap((type) =>
        [...type].map(
          ([name, doc]) => `${name} ${/@default (\S+)/.exec(doc)?.[1]?.replaceAll('_', '') ?? ''}`,
        ),
      ),
    )
    const exact = rows
      .map(([option = '', value = '']) => [wordsIn(option)[0] ?? '', value.replaceAll('`', '')] as const)
      .filter(([, value]) => /^['\d]/.test(value))
    expect(exact.length).toBeGreaterThan(3)
    expect(exact.map((pair) => pair.join(' ')).filter((pair) => !known.has(pair))).toEqual([])
  })
})
