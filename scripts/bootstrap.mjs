// Makes a fresh clone ready: installs npm packages when they are missing or stale, then each program that the command line
// names (chromium, shell, firefox, webkit, memcached, nutcracker, yrmcds), and what the `examples` and the `frameworks` need. It runs on any
// Node from 18 on and imports no package, because it runs before any is installed.
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
 * For each program: its possible names, an environment variable that names it, its Debian package, and the service that
 * the package would start. That service is switched off, because the tests start their own.
 */
const programs = {
  chromium: {
    names: ['chromium', 'chromium-browser', 'google-chrome'],
    variable: 'CHROMIUM_PATH',
    apt: 'chromium',
  },
  // Chromium without a window, for quicker tests. Debian has it and Ubuntu does not: there the tests take Chromium itself.
  shell: {
    names: ['chromium-headless-shell'],
    variable: 'CHROMIUM_SHELL_PATH',
    apt: 'chromium-headless-shell',
    isOptional: true,
  },
  firefox: { names: ['firefox-esr', 'firefox'], variable: 'FIREFOX_PATH', apt: 'firefox-esr' },
  // WebKitGTK with its small browser, which is in the library's folder, and a virtual display.
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
  // Must not be installed, because its package starts a server that listens on all interfaces. It is only unpacked, with
  // the one library that Debian may lack, so that nothing but the tests starts it.
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
const appFolders = ['examples', 'frameworks']
for (const name of appFolders) if (asked.includes(name)) installFolder(name)
installPrograms(asked.filter((name) => !appFolders.includes(name)))

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
  // The `node` package fetches its binary in an install script. npm may be configured to run none.
  if (!existsSync(node)) npm('rebuild', 'node')
  if (!existsSync(node))
    fail('the npm package `node` brought no binary: allow its install script and run this again')
  writeFileSync(stampFile, stamp)
}

/**
 * Installs what only the apps in `test/<name>` need, from their own lockfile: Workbox's build tools for the examples, and
 * whole frameworks, which only the long tests use.
 */
function installFolder(name) {
  const folder = join(root, 'test', name)
  const stamp = join(folder, 'node_modules/.bootstrap')
  const lock = readFileSync(join(folder, 'package-lock.json'), 'utf8')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  console.log(`bootstrap: installing what the ${name} need`)
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
  installPackaged(missing.filter((name) => !programs[name].unpack && !programs[name].isOptional))
  if (!onPath('apt-get')) return
  for (const name of missing.filter((one) => programs[one].isOptional)) installOptional(programs[name])
}

/** Installs an optional program where apt knows its package. A failure does not stop the script. */
function installOptional({ apt }) {
  const isKnown = () => spawnSync('apt-cache', ['show', apt], { stdio: 'ignore' }).status === 0
  // A fresh machine has no package lists yet. Without root's rights this step is left out, so that nobody is asked for a password.
  const update = ['apt-get', ...aptOptions, 'update']
  if (!isKnown() && process.getuid?.() === 0) spawnSync(update[0], update.slice(1), { stdio: 'ignore' })
  if (!isKnown()) return
  console.log(`bootstrap: installing ${apt}`)
  const [command, ...args] = [
    ...asRoot('apt-get'),
    ...aptOptions,
    'install',
    '-y',
    '--no-install-recommends',
    apt,
  ]
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const { status } = spawnSync(command, args, { env, stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0)
    console.log(`bootstrap: ${apt} could not be installed; the tests run without it, more slowly`)
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
    // Fails where no systemd runs, as in a container. Nothing was started there.
    const [command, ...args] = [...asRoot('systemctl'), 'disable', '--now', service]
    if (service && onPath('systemctl')) spawnSync(command, args, { stdio: 'ignore' })
  }
}

/** Unpacks a program into node_modules/.cache/<name>, with a launcher that finds the libraries beside it. */
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
    // On a fresh machine apt has no lists, and after a while its lists name versions that are gone.
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
