// Two machines with yrmcds and an address that moves between them, as keepalived moves it; and one with the app.
// Each is a network namespace, so that nothing of the real machine changes. To be run inside one:
// `unshare -n node yrmcds-failover.ts <scenario>`. Prints what came of it as JSON.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memcachedStore } from '../../src/memcached.ts'
import { bytes } from './store-helpers.ts'
import { sleep } from './waiting.ts'
import { startTraffic } from './traffic.ts'
import { yrmcdsCommand, yrmcdsConfig } from './yrmcds-config.ts'

const virtualIp = '10.77.0.100'
const port = 11_211
const ip = (...words: readonly string[]): Buffer => execFileSync('ip', [...words], { stdio: 'pipe' })

interface Machine {
  readonly link: string
  ip(...words: readonly string[]): void
  start(): ChildProcess
  off(): void
}

const folder = mkdtempSync(join(tmpdir(), 'yrmcds-failover-'))
const config = join(folder, 'yrmcds.conf')
writeFileSync(config, yrmcdsConfig({ virtualIp, port, replicationPort: 11_213, folder }))
const children: ChildProcess[] = []
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

async function startMachine(number: number): Promise<Machine> {
  // It holds the namespace, and says when it is there.
  const holder = spawn('unshare', ['-n', 'sh', '-c', 'echo; exec sleep 300'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(holder)
  await new Promise((resolve) => holder.stdout.once('data', resolve))
  const inside = ['-t', String(holder.pid), '-n']
  const link = `machine${number}`
  const own = (...words: readonly string[]): void =>
    void execFileSync('nsenter', [...inside, 'ip', ...words], { stdio: 'pipe' })
  ip('link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(holder.pid))
  ip('link', 'set', link, 'master', 'bridge0', 'up')
  own('link', 'set', 'lo', 'up')
  own('addr', 'add', `10.77.0.${10 + number}/24`, 'dev', 'eth0')
  own('link', 'set', 'eth0', 'up')
  return {
    link,
    ip: own,
    start() {
      const child = spawn('nsenter', [...inside, yrmcdsCommand(), '-f', config], { stdio: 'ignore' })
      children.push(child)
      return child
    },
    off: () => void ip('link', 'set', link, 'down'),
  }
}

/** What keepalived does: the address, and word of it to the neighbours. */
function takeAddress(machine: Machine): void {
  machine.ip('addr', 'add', `${virtualIp}/24`, 'dev', 'eth0')
  ip('neigh', 'flush', 'dev', 'bridge0')
}

/** Whether somebody answers there and does not hang up. */
function isServing(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: virtualIp, port, timeout: 500 })
    const finish = (is: boolean): void => {
      socket.destroy()
      resolve(is)
    }
    socket.once('connect', () => socket.write('version\r\n'))
    socket.once('data', () => finish(true))
    for (const event of ['error', 'timeout', 'end']) socket.once(event, () => finish(false))
  })
}

async function untilServing(): Promise<void> {
  for (let tries = 0; !(await isServing()); tries++) {
    if (tries === 600) throw new Error('Nobody serves the virtual address.')
    await sleep(50)
  }
}

async function main(scenario: string): Promise<void> {
  ip('link', 'set', 'lo', 'up')
  ip('link', 'add', 'bridge0', 'type', 'bridge')
  ip('addr', 'add', '10.77.0.1/24', 'dev', 'bridge0')
  ip('link', 'set', 'bridge0', 'up')
  const [first, second] = [await startMachine(1), await startMachine(2)]
  takeAddress(first)
  const master = first.start()
  await untilServing()
  second.start()
  // The first copy of all data is made by the collection of garbage, once a second here.
  await sleep(3000)

  const store = memcachedStore({ servers: `${virtualIp}:${port}` })
  const quiet = Array.from({ length: 500 }, (_, index) => `quiet:${index}`)
  for (const key of quiet) await store.create(key, bytes(key), 300)
  const busy = Array.from({ length: 50 }, (_, index) => `busy:${index}`)
  const traffic = await startTraffic(store, busy)
  await sleep(1000)

  if (scenario.startsWith('cable-pulled')) first.off()
  else {
    master.kill('SIGKILL')
    // The end of its connections must still get out: a slave that hears nothing believes that all is well.
    await sleep(500)
    first.ip('addr', 'del', `${virtualIp}/24`, 'dev', 'eth0')
  }
  await sleep(scenario.endsWith('late') ? 9000 : 500)
  const moved = performance.now()
  takeAddress(second)
  await untilServing()
  const promoted = Math.round(performance.now() - moved)
  // Longer than our longest rest between two attempts.
  await sleep(4000)
  const { served, refused, wrong, lost, nextServedAt } = await traffic.stop()
  let kept = 0
  for (const key of quiet) if ((await store.read(key, 300)).kind === 'hit') kept++
  const millisecondsAfterMove = Math.round(nextServedAt - moved)
  console.log(JSON.stringify({ kept, lost, wrong, served, refused, promoted, millisecondsAfterMove }))
  await store.close()
  process.exit(0)
}

await main(process.argv[2] ?? '')
