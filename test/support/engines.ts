// Engines that lack the meta commands, for tests: twemproxy before some memcacheds, and yrmcds. Their configuration
// lies in a folder of its own, gone with them.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, startProgram } from './programs.ts'
import { yrmcdsCommand, yrmcdsConfig } from './yrmcds-config.ts'

export interface Engine {
  readonly address: string
  kill(): Promise<void>
}

/** @param servers `host:port` of each memcached behind it */
export async function startTwemproxy(servers: readonly string[]): Promise<Engine> {
  const folder = mkdtempSync(join(tmpdir(), 'twemproxy-'))
  const [port, statsPort] = [await freePort(), await freePort()]
  const config = join(folder, 'config.yml')
  writeFileSync(
    config,
    [
      'sessions:',
      `  listen: 127.0.0.1:${port}`,
      '  hash: md5',
      '  distribution: ketama',
      // Milliseconds: a busy machine must not be taken for a memcached that hangs.
      '  timeout: 20000',
      '  server_retry_timeout: 100',
      '  servers:',
      ...servers.map((server) => `   - ${server}:1`),
      '',
    ].join('\n'),
  )
  const program = await startProgram({
    command: process.env['NUTCRACKER_PATH'] ?? 'nutcracker',
    args: ['-c', config, '-a', '127.0.0.1', '-s', String(statsPort), '-p', join(folder, 'pid'), '-v', '0'],
    ready: { port },
  })
  return {
    address: `127.0.0.1:${port}`,
    async kill() {
      await program.kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export interface YrmcdsOptions {
  /** Whoever owns this address is the master. 127.0.0.1 is ours; 127.0.0.2 can be reached and is nobody's. */
  readonly virtualIp: '127.0.0.1' | '127.0.0.2'
  /** It listens on this one, too, so that no other address of this machine is used. */
  readonly bindIp: string
  readonly port: number
  readonly replicationPort: number
}

export interface Yrmcds extends Engine {
  restart(): Promise<void>
  /** What it says of its replication when asked (SIGUSR1). */
  replication(): Promise<string>
}

export async function startYrmcds(options?: YrmcdsOptions): Promise<Yrmcds> {
  const folder = mkdtempSync(join(tmpdir(), 'yrmcds-'))
  const config = join(folder, 'yrmcds.conf')
  const given = options ?? {
    virtualIp: '127.0.0.1',
    bindIp: '127.0.0.2',
    port: await freePort(),
    replicationPort: await freePort(),
  }
  writeFileSync(config, yrmcdsConfig({ ...given, folder }))
  const start = () =>
    startProgram({
      command: yrmcdsCommand(),
      args: ['-f', config],
      ready: { host: given.bindIp, port: given.port },
    })
  let program = await start()
  return {
    address: `${given.virtualIp === '127.0.0.1' ? given.virtualIp : given.bindIp}:${given.port}`,
    async restart() {
      await program.kill()
      program = await start()
    },
    replication: () =>
      new Promise((resolve) => {
        program.child.stderr?.once('data', (chunk: Buffer) => resolve(chunk.toString()))
        program.child.kill('SIGUSR1')
      }),
    async kill() {
      await program.kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
