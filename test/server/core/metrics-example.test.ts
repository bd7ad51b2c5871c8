// The example of docs/operations.md, as it stands there: compiled with all strict flags, run on real sessions, and
// read by a grammar of Prometheus' text format 0.0.4.
import { execFileSync } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, test as base } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { watchedNames } from '../../../src/server/core/watch.ts'
import { createWorld, ignoreError, watchStore } from '../harness.ts'

interface Example {
  metrics(): string
  serveMetrics(port: number): Server
}

const root = join(import.meta.dirname, '../../..')
const parent = join(root, 'node_modules/.cache')
mkdirSync(parent, { recursive: true })
const folder = mkdtempSync(join(parent, 'metrics-'))
afterAll(() => rmSync(folder, { recursive: true }))

const [, code = ''] =
  /```ts\n(\/\/ metrics\.ts: [^]*?)```\n/.exec(readFileSync(join(root, 'docs/operations.md'), 'utf8')) ?? []

/** Node strips no types below node_modules, so that the compiler makes the module, and checks it. */
async function load(): Promise<Example> {
  writeFileSync(join(folder, 'metrics.ts'), code)
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  const flags = { composite: false, emitDeclarationOnly: false, declaration: false, declarationMap: false }
  const compilerOptions = { ...flags, noEmit: false, rootDir: '.', outDir: '.', types: ['node'] }
  const typeRoots = [join(root, 'node_modules/@types')]
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: { ...compilerOptions, isolatedDeclarations: false, typeRoots },
    files: ['metrics.ts'],
    references: [],
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8' })
  return (await import(/* @vite-ignore */ pathToFileURL(join(folder, 'metrics.js')).href)) as Example
}

interface Fixtures {
  /** The example, compiled once for the whole file. */
  readonly example: Example
  /** How much each sample grew while `run` ran; those that did not are left out. */
  readonly growth: (run: () => Promise<unknown>) => Promise<Record<string, number>>
}

const test = base.extend<Fixtures>({
  // oxlint-disable-next-line no-empty-pattern -- Vitest reads the names of a fixture's parameters
  example: [async ({}, use) => use(await load()), { scope: 'file' }],
  growth: async ({ example }, use) => {
    await use(async (run) => {
      const before = parse(example.metrics())
      await run()
      const grown = [...parse(example.metrics())].map(
        ([key, now]) => [key, now - (before.get(key) ?? 0)] as const,
      )
      return Object.fromEntries(grown.filter(([, by]) => by !== 0))
    })
  },
})

const typeLine = /^# TYPE (?<family>[a-zA-Z_:][a-zA-Z0-9_:]*) (?<type>counter|summary)$/
const name = /(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)/.source
const pair = /[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"/.source
const value = /(?<value>\d+(?:\.\d+)?(?:e[+-]\d+)?)/.source
const sampleLine = new RegExp(`^${name}(?<labels>\\{${pair}(?:,${pair})*\\})? ${value}$`)
const suffixes: Readonly<Record<string, readonly string[]>> = { counter: [''], summary: ['_sum', '_count'] }

/** Every sample by its name and labels. Throws for a line that the format does not have, or has elsewhere. */
function parse(text: string): Map<string, number> {
  const lines = text.split('\n')
  if (lines.pop() !== '') throw new Error('The last line has no end.')
  const samples = new Map<string, number>()
  const families = new Set<string>()
  let allowed: readonly string[] = []
  for (const line of lines) {
    const head = typeLine.exec(line)?.groups
    if (head !== undefined) {
      const { family = '', type = '' } = head
      if (families.has(family)) throw new Error(`${family} stands in two places.`)
      families.add(family)
      allowed = (suffixes[type] ?? []).map((suffix) => family + suffix)
      continue
    }
    const sample = sampleLine.exec(line)?.groups
    const key = `${sample?.['name']}${sample?.['labels'] ?? ''}`
    if (sample === undefined || !allowed.includes(sample['name'] ?? '') || samples.has(key))
      throw new Error(`No line of the format, or not here: ${line}`)
    samples.set(key, Number(sample['value']))
  }
  return samples
}

const counts = (grown: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(grown).filter(([key]) => /_total\b/.test(key)))
const nothing = { epoch: null, owner: null, since: 0 }

describe('the example', () => {
  test('the example has at most thirty lines, and listens to every channel there is', () => {
    expect(code.trimEnd().split('\n').length).toBeLessThanOrEqual(30)
    const [, table = ''] = /const labels = \{([^}]*)\}/.exec(code) ?? []
    const listed = [...table.matchAll(/(\w+): '/g)].map(([, channel]) => channel)
    expect(listed.toSorted()).toEqual(watchedNames.toSorted())
  })

  test('a metric without a label starts at nothing, so that the first of it is an increase', ({
    example,
  }) => {
    const samples = parse(example.metrics())
    expect(samples.get('session_mirror_reuse_total')).toBe(0)
    expect(samples.get('session_mirror_commit_total')).toBe(0)
  })

  test('the example counts each request by how its session was found, with its seconds', async ({
    growth,
  }) => {
    const world = createWorld()
    const browser = world.browser()
    let told = 0
    const note = (message: unknown): void => {
      const { state, milliseconds } = message as { readonly state: string; readonly milliseconds: number }
      if (state === 'live') told += milliseconds
    }
    subscribe('session-mirror:load', note)
    const grown = await growth(async () => {
      await browser.app((session) => session.signIn('ada'))
      await browser.get()
      await browser.get()
      world.sleep(1000)
      await browser.get()
    })
    expect(grown).toMatchObject({
      'session_mirror_load_total{state="none"}': 1,
      'session_mirror_load_total{state="live"}': 2,
      'session_mirror_load_total{state="stale"}': 1,
      'session_mirror_load_seconds_count{state="live"}': 2,
      'session_mirror_refuse_total{code="stale"}': 1,
    })
    unsubscribe('session-mirror:load', note)
    expect(told).toBeGreaterThan(0)
    expect(grown['session_mirror_load_seconds_sum{state="live"}']).toBeCloseTo(told / 1000, 9)
  })

  test('the example counts commits, rotations, and the reuse of a copied cookie', async ({ growth }) => {
    const world = createWorld()
    const browser = world.browser()
    await browser.app((session) => session.signIn('ada'))
    const copy = browser.copy()
    const grown = await growth(async () => {
      await browser.app((session) => session.set('theme', 'dark'))
      world.sleep(4000)
      await browser.post('refresh', nothing)
      world.sleep(60)
      await browser.get()
      world.sleep(61)
      await copy.post('refresh', nothing)
    })
    expect(grown).toMatchObject({
      // One is the note that a browser has kept the new id.
      session_mirror_commit_total: 2,
      session_mirror_commit_seconds_count: 2,
      session_mirror_rotate_total: 1,
      session_mirror_reuse_total: 1,
      'session_mirror_refuse_total{code="reuse"}': 1,
    })
  })

  test('the example counts what was refused, ended, lost, and not answered', async ({ growth }) => {
    const store = watchStore(memoryStore())
    const world = createWorld({ store, clock: Date.now, onError: ignoreError })
    const restarted = createWorld({ store: memoryStore(), clock: Date.now })
    const browser = world.browser()
    await browser.app((session) => session.signIn('ada'))
    const grown = await growth(async () => {
      await browser.send('/session/sync', { method: 'POST', headers: { 'sec-fetch-site': 'cross-site' } })
      await restarted.sessions.handle(browser.request('/session'))
      store.broken = true
      await browser.get()
      store.broken = false
      await browser.signOut()
    })
    expect(counts(grown)).toEqual({
      'session_mirror_load_total{state="live"}': 1,
      'session_mirror_load_total{state="lost"}': 1,
      'session_mirror_lost_total{cause="missing"}': 1,
      'session_mirror_refuse_total{code="cross-site"}': 1,
      'session_mirror_refuse_total{code="lost"}': 1,
      'session_mirror_refuse_total{code="store-unavailable"}': 1,
      'session_mirror_revoke_total{reason="signed-out"}': 1,
      'session_mirror_unavailable_total{operation="read"}': 1,
    })
  })

  test('the example counts tries that another process was quicker than', async ({ growth }) => {
    const store = memoryStore()
    const [one, two] = [createWorld({ store, clock: Date.now }), createWorld({ store, clock: Date.now })]
    const browser = one.browser()
    await browser.app((session) => session.set('theme', 'dark'))
    const grown = await growth(async () => {
      const sessions = await Promise.all([one, two].map((world) => world.sessions.load(browser.request('/'))))
      for (const session of sessions) session.increment('visits')
      for (const session of sessions) await session.save() // oxlint-disable-line no-await-in-loop -- in turn
    })
    expect(grown).toMatchObject({
      session_mirror_commit_total: 2,
      'session_mirror_conflict_total{operation="commit"}': 1,
    })
  })

  test('the example tells nothing secret, and has no label for each user or session', async ({ example }) => {
    const world = createWorld()
    const browser = world.browser()
    await browser.app((session) => {
      session.signIn('owner-of-the-test', { label: 'label-of-the-test' })
      session.set('secret', 'hidden-of-the-test')
    })
    const [owned] = await world.sessions.list('owner-of-the-test')
    const copy = browser.copy()
    world.sleep(4000)
    await browser.post('refresh', nothing)
    await browser.get()
    world.sleep(61)
    await copy.get()
    const text = example.metrics()
    expect(owned?.id).toMatch(/^[\w-]{16}$/)
    for (const word of ['of-the-test', 'sm1:', 'smo1:', String(owned?.id)]) expect(text).not.toContain(word)
    for (const part of [browser, copy].flatMap(({ cookie }) => cookie.split(/[=.]/))) {
      if (part.length > 20) expect(text).not.toContain(part)
    }
    expect([...parse(text).keys()].length).toBeLessThan(200)
    expect(text).toMatch(/^(?:# TYPE .*\n|[a-z_]+(?:\{[a-z]+="[a-z-]+"\})? \S+\n)*$/)
  })

  test('the example serves the text on loopback alone', async ({ example }) => {
    const server = example.serveMetrics(0)
    await once(server, 'listening')
    const { address, port } = server.address() as AddressInfo
    const response = await fetch(`http://127.0.0.1:${port}/metrics`)
    expect(address).toBe('127.0.0.1')
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4')
    expect(parse(await response.text()).size).toBeGreaterThan(0)
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
})

test('the grammar refuses what is not of the format', () => {
  const head = '# TYPE a_total counter\n'
  expect(parse(`${head}a_total{b="c"} 1\n`)).toEqual(new Map([['a_total{b="c"}', 1]]))
  for (const text of [
    `${head}a_total 1`,
    `${head}a_total{b=c} 1\n`,
    `${head}a_total{b="c"}\n`,
    `${head}a_total NaN1\n`,
    `${head}a_total 1\na_total 2\n`,
    `${head}a_total 1\n\n`,
    `${head}b_total 1\n`,
    'a_total 1\n',
    `${head}${head}`,
    '# TYPE a_seconds summary\na_seconds 1\n',
  ])
    expect(() => parse(text), text).toThrow(/format|two places|no end/)
})
