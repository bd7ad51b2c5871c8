// How tests run yrmcds: small, and with nothing that a session says on a disk.
import { existsSync } from 'node:fs'
import { join } from 'node:path'

export interface YrmcdsConfig {
  readonly virtualIp: string
  /** Without one it listens on all addresses: only where nobody else is. */
  readonly bindIp?: string
  readonly port: number
  readonly replicationPort: number
  readonly folder: string
}

export function yrmcdsConfig({ virtualIp, bindIp, port, replicationPort, folder }: YrmcdsConfig): string {
  return [
    `virtual_ip = ${virtualIp}`,
    ...(bindIp === undefined ? [] : [`bind_ip = ${bindIp}`]),
    `port = ${port}`,
    `repl_port = ${replicationPort}`,
    `temp_dir = "${folder}"`,
    'max_data_size = 2M',
    // What is larger goes into a file.
    'heap_data_limit = 2M',
    'memory_limit = 64M',
    'buckets = 10000',
    'workers = 2',
    'gc_interval = 1',
    '',
  ].join('\n')
}

/** The one that is named, the one that bootstrap has unpacked, or one that is installed. */
export function yrmcdsCommand(): string {
  const unpacked = join(import.meta.dirname, '../../node_modules/.cache/yrmcds/yrmcdsd')
  return process.env['YRMCDS_PATH'] ?? (existsSync(unpacked) ? unpacked : 'yrmcdsd')
}
