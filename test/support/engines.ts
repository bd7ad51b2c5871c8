// An engine that lacks the meta commands, for tests: twemproxy before some memcacheds. Its configuration lies in a
// folder of its own, gone with it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, startProgram } from './programs.ts'

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
      '  timeout: 400',
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
