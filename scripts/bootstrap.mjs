// Makes a fresh clone ready: npm packages when they are missing or stale, then each program named on
// the command line (chromium, memcached, nutcracker). Runs on any Node from 18 and imports no package, because it
// runs before there are any.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import process from 'node:process'

const root = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..')
const stampFile = join(root, 'node_modules/.bootstrap')

/**
 * For each program: the names it goes by, an environment variable that names it, its Debian package, and the
 * service that the package would start and that nobody asked for: the tests start their own.
 */
const programs = {
  chromium: {
    names: ['chromium', 'chromium-browser', 'google-chrome'],
    variable: 'CHROMIUM_PATH',
    apt: 'chromium',
  },
  memcached: { names: ['memcached'], variable: 'MEMCACHED_PATH', apt: 'memcached' },
  nutcracker: {
    names: ['nutcracker'],
    variable: 'NUTCRACKER_PATH',
    apt: 'nutcracker',
    service: 'nutcracker',
  },
}

installPackages()
installPrograms(process.argv.slice(2))

function installPackages() {
  const stamp = createHash('sha256')
    .update(readFileSync(join(root, 'package.json')))
    .update(readFileSync(join(root, 'package-lock.json')))
    .update(`${process.platform} ${process.arch}`)
    .digest('hex')
  const node = join(root, 'node_modules/node/bin/node')
  const fresh = existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp
  if (fresh && existsSync(node)) return

  console.log('bootstrap: installing npm packages')
  npm('ci', '--no-audit', '--no-fund', '--loglevel=error')
  // The `node` package fetches its binary in an install script; npm may have been told to run none.
  if (!existsSync(node)) npm('rebuild', 'node')
  if (!existsSync(node))
    fail('the npm package `node` brought no binary: allow its install script and run this again')
  writeFileSync(stampFile, stamp)
}

function npm(...args) {
  const cli = process.env.npm_execpath
  const [command, rest] = cli ? [process.execPath, [cli, ...args]] : ['npm', args]
  const { status } = spawnSync(command, rest, { cwd: root, stdio: 'inherit' })
  if (status !== 0) fail(`npm ${args[0]} ended with status ${status}`)
}

function installPrograms(wanted) {
  const missing = wanted.filter((name) => !isInstalled(programs[name]))
  if (missing.length === 0) return
  const packages = missing.map((name) => programs[name].apt)
  const help = `install ${missing.join(' and ')} (on Debian: apt-get install ${packages.join(' ')})`
  if (!onPath('apt-get')) fail(`this needs ${missing.join(' and ')}, and there is no apt-get here: ${help}`)

  console.log(`bootstrap: installing ${packages.join(' ')}`)
  const sudo = process.getuid?.() === 0 ? [] : ['sudo']
  const apt = [...sudo, 'apt-get', '-o', 'DPkg::Lock::Timeout=300', '-qq']
  run([...apt, 'update'], help)
  run([...apt, 'install', '-y', '--no-install-recommends', ...packages], help)
  for (const { service } of missing.map((name) => programs[name])) {
    // Fails where no systemd runs, as in a container; nothing was started there.
    const [command, ...args] = [...sudo, 'systemctl', 'disable', '--now', service]
    if (service && onPath('systemctl')) spawnSync(command, args, { stdio: 'ignore' })
  }
}

function isInstalled({ names, variable }) {
  const named = process.env[variable]
  return named ? existsSync(named) : names.some(onPath)
}

function onPath(name) {
  // Debian keeps servers out of the PATH of ordinary users.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']
  return folders.some((folder) => existsSync(join(folder, name)))
}

function run([command, ...args], help) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const { status } = spawnSync(command, args, { env, stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) fail(`${command} ${args.join(' ')} failed: ${help}`)
}

function fail(message) {
  console.error(`bootstrap: ${message}`)
  process.exit(1)
}
