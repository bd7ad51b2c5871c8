// Measures what a session costs over HTTP. Each contestant is one process on one core, the load comes from the other core,
// and memcached is real. All take turns for many rounds. Each is compared with the floor of its own round by the CPU time
// of its process for one request, because other work on the machine disturbs that least.
//
// npm run bench -- server                        bursts of a second
// MILLISECONDS=5000 npm run bench -- server      sustained load
// BEFORE=../other-checkout npm run bench -- server   session-mirror of another checkout beside this one
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { startMemcached } from '../../test/support/memcached.ts'
import { median } from '../rounds.ts'
import { contestants } from './contestants.ts'
import { type LoadOptions, runLoad } from './load.ts'
import { type Start, greeting, profile, routes } from './scenario.ts'

const rounds = Number(process.env['ROUNDS'] ?? 7)
const milliseconds = Number(process.env['MILLISECONDS'] ?? 1000)
const only = process.env['ONLY']?.split(';')
const before = process.env['BEFORE']
const here = join(import.meta.dirname, '../..')
const sessionCount = 64
const connections = 32

interface Running {
  readonly name: string
  readonly child: ChildProcess
  readonly port: number
  readonly cookies: readonly string[]
}

const scenarios = {
  'read 1 KB': { path: routes.read, method: 'GET', cookie: 'own', body: greeting(profile) },
  'write a key': { path: routes.write, method: 'POST', cookie: 'own', body: 'written' },
  'refused cookie': { path: routes.read, method: 'GET', cookie: 'forged', body: 'nobody' },
  'no cookie': { path: routes.read, method: 'GET', cookie: 'none', body: 'nobody' },
} as const
type ScenarioName = keyof typeof scenarios

async function start(name: string, options: Start): Promise<Running> {
  const conditions = ['--conditions=session-mirror-source', '--disable-warning=SESSION_MIRROR_STORE']
  const node = [
    process.execPath,
    ...conditions,
    join(import.meta.dirname, 'serve.ts'),
    JSON.stringify(options),
  ]
  // The first core is the server's; the load, memcached and everything else have the others.
  const command = availableParallelism() > 1 ? ['taskset', '-c', '0', ...node] : node
  const child = spawn(command[0] ?? '', command.slice(1), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  const cookies: string[] = []
  for (let count = 0; count < sessionCount; count++) {
    // oxlint-disable-next-line no-await-in-loop -- a few sessions, one after another
    const response = await fetch(`http://127.0.0.1:${port}${routes.signIn}`, {
      method: 'POST',
      headers: { 'sec-fetch-site': 'same-origin' },
    })
    const cookie = response.headers.getSetCookie()[0]?.split(';')[0]
    if (!response.ok || cookie === undefined)
      throw new Error(`${name}: the sign-in failed: ${await response.text()}`)
    cookies.push(cookie)
  }
  return { name, child, port, cookies }
}

async function cpuOf({ child }: Running): Promise<number> {
  child.send('cpu')
  const [{ usage }] = (await once(child, 'message')) as [{ usage: NodeJS.CpuUsage }]
  return usage.user + usage.system
}

function loadFor(running: Running, name: ScenarioName): LoadOptions {
  const { path, method, cookie, body } = scenarios[name]
  const cookies = cookie === 'own' ? running.cookies : cookie === 'forged' ? running.cookies.map(forge) : ['']
  const requests = cookies.map((text) =>
    Buffer.from(
      [
        `${method} ${path} HTTP/1.1`,
        'Host: 127.0.0.1',
        'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36',
        'Accept: application/json',
        'Sec-Fetch-Site: same-origin',
        ...(text === '' ? [] : [`Cookie: theme=dark; ${text}`]),
        ...(method === 'POST' ? ['Content-Length: 0'] : []),
        '\r\n',
      ].join('\r\n'),
    ),
  )
  return { port: running.port, requests, connections, milliseconds, expected: { status: 200, body } }
}

/** The same cookie with one character of its signature changed, so that it is refused. */
function forge(cookie: string): string {
  const at = cookie.length - 9
  return `${cookie.slice(0, at)}${cookie[at] === 'A' ? 'B' : 'A'}${cookie.slice(at + 1)}`
}

interface Sample {
  readonly microseconds: number
  readonly rate: number
  readonly p50: number
  readonly p99: number
}

async function sample(running: Running, name: ScenarioName): Promise<Sample> {
  const load = loadFor(running, name)
  // Warms up, because code that is still being compiled must not be measured.
  await runLoad({ ...load, milliseconds: Math.min(300, milliseconds / 3) })
  const beforehand = await cpuOf(running)
  const { count, seconds, p50, p99 } = await runLoad(load)
  const used = (await cpuOf(running)) - beforehand
  return { microseconds: used / count, rate: count / seconds, p50, p99 }
}

function versions(name: string, memcached: string): [string, Start][] {
  const own: [string, Start] = [name, { contestant: name, memcached, root: here }]
  if (before === undefined || !name.startsWith('session-mirror')) return [own]
  return [own, [`${name} (before)`, { contestant: name, memcached, root: resolve(before) }]]
}

const memcached = await startMemcached()
const all: Running[] = []
try {
  await compare()
} finally {
  for (const { child } of all) child.disconnect()
  await memcached.kill()
}

async function compare(): Promise<void> {
  const names = Object.keys(contestants).filter(
    (name, index) => index === 0 || (only?.some((part) => name.includes(part)) ?? true),
  )
  for (const [name, options] of names.flatMap((one) => versions(one, memcached.address))) {
    // oxlint-disable-next-line no-await-in-loop -- one after another
    all.push(await start(name, options))
  }
  const json: Record<string, unknown> = { rounds, milliseconds }
  for (const name of Object.keys(scenarios) as ScenarioName[]) {
    // oxlint-disable-next-line no-await-in-loop -- one after another
    const samples = await samplesOf(name)
    json[name] = Object.fromEntries(samples)
    console.log(table(name, samples))
  }
  const file = process.env['JSON_FILE']
  if (file !== undefined) writeFileSync(file, JSON.stringify(json, undefined, 1))
}

async function samplesOf(name: ScenarioName): Promise<ReadonlyMap<string, readonly Sample[]>> {
  const samples = new Map<string, Sample[]>(all.map((one) => [one.name, []]))
  for (let round = -1; round < rounds; round++) {
    for (const one of all) {
      // oxlint-disable-next-line no-await-in-loop -- taking turns is the point
      const taken = await sample(one, name).catch((error: unknown) => {
        throw new Error(`${one.name}, ${name}`, { cause: error })
      })
      // The first round only warms up.
      if (round >= 0) samples.get(one.name)?.push(taken)
    }
  }
  return samples
}

function table(name: string, samples: ReadonlyMap<string, readonly Sample[]>): string {
  const [floor = []] = samples.values()
  const rows = [...samples].map(([contestant, own]) => {
    const ratios = own.map(
      ({ microseconds }, round) => (floor[round]?.microseconds ?? Number.NaN) / microseconds,
    )
    const beside = contestant.endsWith('(before)')
      ? ''
      : ratioToBefore(own, samples.get(`${contestant} (before)`))
    const of = (pick: (one: Sample) => number): number => median(own.map(pick))
    return `| ${contestant} | ${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}) | ${of((one) => one.microseconds).toFixed(0)} | ${Math.round(of((one) => one.rate)).toLocaleString('en')} | ${of((one) => one.p50).toFixed(1)} / ${of((one) => one.p99).toFixed(1)} |${beside}`
  })
  const head = [
    `| ${name} | to the floor, by CPU | µs of CPU | a second | p50 / p99 ms |`,
    '|---|---|---|---|---|',
  ]
  return `\n${[...head, ...rows].join('\n')}`
}

function ratioToBefore(own: readonly Sample[], earlier: readonly Sample[] | undefined): string {
  if (earlier === undefined) return ''
  const ratios = own.map(
    ({ microseconds }, round) => (earlier[round]?.microseconds ?? Number.NaN) / microseconds,
  )
  return ` ${median(ratios).toFixed(2)} × before`
}
