// Makes a fresh clone ready: npm packages when they are missing or stale, then each program named on
// the command line (chromium, firefox, webkit, memcached, nutcracker, yrmcds), and what the `examples` need. Runs on any Node from 18 and imports no package, because it
// runs before there are any.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import process from 'node:process'

const root = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..')
const stampFile = join(root, 'node_modules/.bootstrap')
const cache = join(root, 'node_modules/.cache')
const aptOptions = ['-o', 'DPkg::Lock::Timeout=300', '-qq']

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
  firefox: { names: ['firefox-esr', 'firefox'], variable: 'FIREFOX_PATH', apt: 'firefox-esr' },
  // WebKitGTK with its small browser, which stands beside the library, and a display that nobody sees.
  webkit: {
    names: ['webkit2gtk-4.1/MiniBrowser'],
    libraries: '/usr/lib',
    variable: 'WEBKIT_PATH',
    apt: 'webkit2gtk-driver',
    with: ['xvfb', 'xauth'],
  },
  memcached: { names: ['memcached'], variable: 'MEMCACHED_PATH', apt: 'memcached' },
  nutcracker: {
    names: ['nutcracker'],
    variable: 'NUTCRACKER_PATH',
    apt: 'nutcracker',
    service: 'nutcracker',
  },
  // Never installed: its package starts a server that listens on all interfaces. It is unpacked, with the one library
  // that a Debian may lack, where nothing starts it but the tests.
  yrmcds: {
    names: ['yrmcdsd'],
    variable: 'YRMCDS_PATH',
    apt: 'yrmcds',
    unpack: ['yrmcds', 'libtcmalloc-minimal4'],
    program: 'usr/sbin/yrmcdsd',
  },
}

const asked = process.argv.slice(2)
installPackages()
if (asked.includes('examples')) installExamples()
installPrograms(asked.filter((name) => name !== 'examples'))

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

/** What the example apps need that nobody else does, Workbox's build tools: from a lockfile of their own. */
function installExamples() {
  const folder = join(root, 'test/examples')
  const stamp = join(folder, 'node_modules/.bootstrap')
  const lock = readFileSync(join(folder, 'package-lock.json'), 'utf8')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  console.log('bootstrap: installing what the examples need')
  npmIn(folder, 'ci', '--no-audit', '--no-fund', '--loglevel=error')
  writeFileSync(stamp, lock)
}

function npm(...args) {
  npmIn(root, ...args)
}

function npmIn(cwd, ...args) {
  const cli = process.env.npm_execpath
  const [command, rest] = cli ? [process.execPath, [cli, ...args]] : ['npm', args]
  const { status } = spawnSync(command, rest, { cwd, stdio: 'inherit' })
  if (status !== 0) fail(`npm ${args[0]} ended with status ${status}`)
}

function installPrograms(wanted) {
  const missing = wanted.filter((name) => !isInstalled(programs[name]))
  for (const name of missing.filter((one) => programs[one].unpack)) unpackProgram(name)
  installPackaged(missing.filter((name) => !programs[name].unpack))
}

function installPackaged(missing) {
  if (missing.length === 0) return
  const packages = missing.flatMap((name) => [programs[name].apt, ...(programs[name].with ?? [])])
  const help = `install ${missing.join(' and ')} (on Debian: apt-get install ${packages.join(' ')})`
  if (!onPath('apt-get')) fail(`this needs ${missing.join(' and ')}, and there is no apt-get here: ${help}`)

  console.log(`bootstrap: installing ${packages.join(' ')}`)
  updateLists(help)
  run([...asRoot('apt-get'), ...aptOptions, 'install', '-y', '--no-install-recommends', ...packages], help)
  for (const { service } of missing.map((name) => programs[name])) {
    // Fails where no systemd runs, as in a container; nothing was started there.
    const [command, ...args] = [...asRoot('systemctl'), 'disable', '--now', service]
    if (service && onPath('systemctl')) spawnSync(command, args, { stdio: 'ignore' })
  }
}

/** Into node_modules/.cache/<name>, with a launcher of the program's own name that finds the libraries beside it. */
function unpackProgram(name) {
  const { unpack, program, names, variable } = programs[name]
  const help = `name a ${names[0]} in ${variable}`
  if (!onPath('apt-get') || !onPath('dpkg-deb')) fail(`there is no ${name} here, nor Debian's tools: ${help}`)

  console.log(`bootstrap: unpacking ${unpack.join(' and ')}`)
  const folder = join(cache, name)
  const half = `${folder}.${process.pid}`
  rmSync(half, { recursive: true, force: true })
  mkdirSync(half, { recursive: true })
  // Debian's own user for downloads cannot write here.
  const download = ['apt-get', ...aptOptions, '-o', 'APT::Sandbox::User=root', 'download', ...unpack]
  const isFound = spawnSync(download[0], download.slice(1), { cwd: half, stdio: 'ignore' }).status === 0
  if (!isFound) {
    // On a fresh machine, or after a while, apt knows no package by that name or number.
    updateLists(help)
    run(download, help, half)
  }
  for (const file of readdirSync(half).filter((one) => one.endsWith('.deb'))) {
    run(['dpkg-deb', '-x', join(half, file), half], help)
    rmSync(join(half, file))
  }
  const launcher = join(half, names[0])
  const here = '$(cd "$(dirname "$0")" && pwd)'
  const lines = ['#!/bin/sh', `here=${here}`, 'libraries=$(echo "$here"/usr/lib/*-linux-*)']
  const start = `LD_LIBRARY_PATH="$libraries" exec "$here/${program}" "$@"`
  writeFileSync(launcher, [...lines, start, ''].join('\n'), { mode: 0o755 })
  run([launcher, '-v'], help)
  rmSync(folder, { recursive: true, force: true })
  renameSync(half, folder)
}

function asRoot(command) {
  return process.getuid?.() === 0 ? [command] : ['sudo', command]
}

function updateLists(help) {
  run([...asRoot('apt-get'), ...aptOptions, 'update'], help)
}

function isInstalled({ names, variable, apt, unpack, libraries }) {
  const named = process.env[variable]
  if (named) return existsSync(named)
  if (libraries) return readdirSync(libraries).some((folder) => existsSync(join(libraries, folder, names[0])))
  return names.some(onPath) || (unpack !== undefined && existsSync(join(cache, apt, names[0])))
}

function onPath(name) {
  // Debian keeps servers out of the PATH of ordinary users.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']
  return folders.some((folder) => existsSync(join(folder, name)))
}

function run([command, ...args], help, cwd = root) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const { status } = spawnSync(command, args, { cwd, env, stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) fail(`${command} ${args.join(' ')} failed: ${help}`)
}

function fail(message) {
  console.error(`bootstrap: ${message}`)
  process.exit(1)
}
